-- One row per movie that an index holds, read from the index's catalogue, a database that is attached as `held`.
create or replace table known_movies as
select * from held.movies order by movie_row
