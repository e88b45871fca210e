-- One row: counts metadata lines, described movies, repeated lines, rejected lines and movies without metadata.
with reviewed as (
    select count(*) filter (movie_id not in (select movie_id from described_movies)) as undescribed
    from reviewed_movies
)
select
    count(*) as lines_read,
    count(distinct movie_id) filter (reason is null) as movies_described,
    count(*) filter (reason is null) - count(distinct movie_id) filter (reason is null) as lines_repeated,
    count(*) filter (reason is not null) as lines_rejected,
    (select undescribed from reviewed) as reviewed_without_metadata
from metadata_lines
