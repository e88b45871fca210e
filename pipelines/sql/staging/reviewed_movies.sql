-- One row per movie of a review that was not rejected.
create or replace table reviewed_movies as
select distinct movie_id from staged_reviews where reason is null
