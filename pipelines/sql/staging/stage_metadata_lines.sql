-- One row per line of a block of metadata that describes a movie, reviewed or not; returns the numbers of these lines.
-- All other lines are for `stage_doubtful_metadata`.
-- $path: a file of lines, none of them blank; $size: its bytes; $first_line: the number of the first line;
-- $lines: the numbers of all lines if they do not follow each other, else null; $file: the source file.
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
        trim(coalesce(parsed.parent_asin, parsed.asin)) as movie_id
    from parsed
    where coalesce(parsed.reviewerID, parsed.user_id) is null
)
select $file, line, movie_id, null, null from final
where movie_id <> ''
returning line
