-- One row per kept movie and per cold movie, with a new movie_row, and one row per review with the new movie_row.
-- `learned_row` is the old movie_row of a kept movie, or null for a cold movie.
create or replace table joined_movies as
with every_movie as (
    select * exclude (movie_row), movie_row as learned_row from movies
    union all by name
    select *, null::integer as learned_row from cold_movies
),
final as (
    select (row_number() over (order by movie_id) - 1)::integer as movie_row, * from every_movie
)
select * from final order by movie_row;
create or replace table joined_reviews as
select reviews.* replace (joined_movies.movie_row as movie_row)
from reviews
join joined_movies on joined_movies.learned_row = reviews.movie_row
order by reviews.reviewer_row, joined_movies.movie_row;
drop view if exists prepared;
drop table reviews;
drop table movies;
alter table joined_movies rename to movies;
alter table joined_reviews rename to reviews;
