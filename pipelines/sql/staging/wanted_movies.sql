-- One row per movie whose links are to be scraped, because the SQL condition names the column `links`.
create or replace table wanted_movies as
select movie_id from movie_numbers semi join latest_reviews using (movie_number)
