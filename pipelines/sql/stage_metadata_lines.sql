-- One row per non-blank line of a block of metadata, whether of a reviewed movie or not.
-- $text: the lines, JSON objects; $first_line: the number of the first; $lines: the numbers of all, where they do
-- not follow each other, else null; $file: which file.
insert into metadata_lines
with block as (
    select string_split($text, chr(10)) as texts
),
numbered_lines as (
    select
        unnest(texts) as row_text,
        unnest(coalesce($lines::bigint[], range($first_line, $first_line + len(texts)))) as line
    from block
),
parsed as (
    select
        line,
        row_text,
        try(json_transform(row_text, '{
            "asin": "VARCHAR", "parent_asin": "VARCHAR", "reviewerID": "VARCHAR", "user_id": "VARCHAR"
        }')) as movie
    from numbered_lines
    where regexp_matches(row_text, '[^ \t\r]')
),
final as (
    select
        line,
        nullif(trim(coalesce(movie.parent_asin, movie.asin)), '') as movie_id,
        case
            when starts_with(row_text, chr(0)) then 'not UTF-8 text'
            when movie is null or not regexp_matches(row_text, '^[ \t]*\{') then 'not a JSON object'
            when coalesce(movie.reviewerID, movie.user_id) is not null then 'a review and no movie'
            when trim(coalesce(movie.parent_asin, movie.asin, '')) = '' then 'no movie id'
        end as reason,
        row_text
    from parsed
)
select $file, line, movie_id, reason, case when reason is not null then left(row_text, 500) end from final
