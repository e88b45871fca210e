-- One row per metadata line that `stage_metadata_lines` left out, with the reason for rejection.
-- $texts: the lines; $lines: the line number of each line; $file: the number of the source file.
insert into metadata_lines
with numbered_lines as (
    select unnest($texts::varchar[]) as row_text, unnest($lines::bigint[]) as line
),
parsed as (
    select
        line,
        row_text,
        try(json_transform(row_text, '{
            "asin": "VARCHAR", "parent_asin": "VARCHAR", "reviewerID": "VARCHAR", "user_id": "VARCHAR"
        }')) as movie
    from numbered_lines
),
final as (
    select
        line,
        id_of(coalesce(movie.parent_asin, movie.asin)) as movie_id,
        case
            when movie is null or not regexp_matches(row_text, '^[ \t]*\{') then 'not a JSON object'
            when coalesce(movie.reviewerID, movie.user_id) is not null then 'a review and no movie'
            when id_of(coalesce(movie.parent_asin, movie.asin)) is null then 'no movie id'
            else 'not a JSON object'
        end as reason,
        row_text
    from parsed
)
select $file, line, movie_id, reason, left(row_text, 500) from final
