-- One row per reviewer and one row per movie of the reviews that were not rejected, each with a small integer.
-- Joins and counts are faster with integers than with ids, which are texts.
create or replace table reviewer_numbers as
with final as (
    select distinct reviewer_id from staged_reviews where reason is null
)
select reviewer_id, (row_number() over ())::integer as reviewer_number from final;
create or replace table movie_numbers as
select movie_id, (row_number() over ())::integer as movie_number from reviewed_movies;
