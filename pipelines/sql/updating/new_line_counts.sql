-- One row: counts the lines of new metadata as added, known, repeated or without text.
with placed as (
    select
        movie_id,
        reason,
        row_number() over (partition by movie_id, reason is null order by file, line) as place,
        movie_id in (select movie_id from known_movies) as is_known,
        movie_id in (select movie_id from movies) as is_held
    from metadata_lines
)
select
    count(*) as lines_read,
    count(*) filter (reason is null and place = 1 and is_held and not is_known) as added,
    count(*) filter (reason is null and place = 1 and is_known) as known,
    count(*) filter (reason is null and place > 1 and is_held) as repeated,
    count(*) filter (reason is null and not is_held) as without_text
from placed
