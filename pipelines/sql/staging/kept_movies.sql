-- One row per movie that is kept, whose links have not been scraped before.
create or replace table wanted_movies as
select movie_id from movie_numbers semi join core_reviews using (movie_number)
