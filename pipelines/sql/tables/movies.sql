-- One row per kept movie, numbered in the byte order of the ids; columns without a value in the metadata are null.
-- The column `movie_number` is dropped at the end of ingestion.
create or replace table movies as
with counted as (
    select movie_number, count(*)::integer as movie_count, avg(rating) as average_rating
    from core_reviews
    group by movie_number
),
-- The rows of movies are numbered before texts are joined to the rows, because sorting rows with texts takes long.
numbered as (
    select
        (row_number() over (order by movie_numbers.movie_id) - 1)::integer as movie_row,
        movie_numbers.movie_id,
        counted.movie_count,
        counted.average_rating,
        counted.movie_number
    from counted
    join movie_numbers using (movie_number)
),
final as (
    select
        numbered.movie_row,
        numbered.movie_id,
        described_movies.* exclude (movie_id, details),
        numbered.movie_count,
        numbered.average_rating,
        numbered.movie_number
    from numbered
    left join described_movies on described_movies.movie_id = numbered.movie_id
)
select * from final order by movie_row
