-- One row per candidate for a cold movie whose links have not been scraped yet.
create or replace table wanted_movies as
select movie_id from cold_candidates where movie_id not in (select movie_id from scraped_links)
