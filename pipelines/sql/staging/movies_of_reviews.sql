-- One row per movie that the reviews themselves describe, in the order of the ids: each column has the first value that
-- is not empty.
with placed as (
    select movie_id, movie_fields, file * 1000000000000 + line as place
    from staged_reviews
    where reason is null and movie_fields is not null
),
final as (
    -- `min_by` ignores null values.
    select
        movie_id,
        min_by(nullif(trim(movie_fields[1]), ''), place) as title,
        min_by(nullif(trim(movie_fields[2]), ''), place) as category,
        min_by(nullif(trim(movie_fields[3]), ''), place) as main_cat,
        min_by(nullif(trim(movie_fields[4]), ''), place) as description,
        min_by(nullif(trim(movie_fields[5]), ''), place) as brand,
        min_by(nullif(trim(movie_fields[6]), ''), place) as price,
        min_by(nullif(trim(movie_fields[7]), ''), place) as rank,
        min_by(nullif(trim(movie_fields[8]), ''), place) as year,
        min_by(nullif(trim(movie_fields[9]), ''), place) as date,
        min_by(nullif(trim(movie_fields[10]), ''), place) as links
    from placed
    group by movie_id
)
select * from final order by movie_id
