-- One row per movie of the latest reviews, whose links a condition asks for.
create or replace table wanted_movies as
select distinct movie_id from latest_reviews
