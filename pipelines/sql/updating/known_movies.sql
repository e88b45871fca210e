-- One row per movie that an index holds, read from its catalogue, which is attached as `held`.
create or replace table known_movies as
select * from held.movies order by movie_row
