-- One row per kept movie; the links of the kept movies are to be scraped.
create or replace table wanted_movies as
select movie_id from movie_numbers semi join core_reviews using (movie_number)
