-- One row per movie in `cold_candidates` (movies with metadata but few reviews) whose links are not scraped yet.
create or replace table wanted_movies as
select movie_id from cold_candidates where movie_id not in (select movie_id from scraped_links)
