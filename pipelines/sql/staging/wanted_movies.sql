-- One row per movie of the latest reviews, whose links are to be scraped because a condition names them.
create or replace table wanted_movies as
select movie_id from movie_numbers semi join latest_reviews using (movie_number)
