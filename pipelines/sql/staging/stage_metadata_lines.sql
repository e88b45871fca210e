-- One row per metadata line that describes a movie, reviewed or not; returns the numbers of the inserted lines.
-- The statement `stage_doubtful_metadata` reads all other lines.
-- $path: a file of lines that are not blank; $size: the bytes of the file; $first_line: the number of the first line;
-- $lines: the line numbers of all lines if not consecutive, else null; $file: the number of the source file.
insert into metadata_lines
with parsed as (
    select row_number() over () as place, *
    from read_json(
        $path,
        format = 'newline_delimited',
        ignore_errors = true,
        maximum_object_size = $size,
        columns = {asin: 'VARCHAR', parent_asin: 'VARCHAR', reviewerID: 'VARCHAR', user_id: 'VARCHAR'}
    )
),
final as (
    select
        coalesce(($lines::bigint[])[place], $first_line + place - 1) as line,
        id_of(coalesce(parsed.parent_asin, parsed.asin)) as movie_id
    from parsed
    where coalesce(parsed.reviewerID, parsed.user_id) is null
)
select $file, line, movie_id, null, null from final
where movie_id is not null
returning line
