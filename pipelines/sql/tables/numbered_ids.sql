-- One row per reviewer, and one row per movie, of the reviews that were not rejected, each with a small number.
-- Numbers are faster to join and to count by than ids.
create or replace table reviewer_numbers as
with final as (
    select distinct reviewer_id from staged_reviews where reason is null
)
select reviewer_id, (row_number() over ())::integer as reviewer_number from final;
create or replace table movie_numbers as
select movie_id, (row_number() over ())::integer as movie_number from reviewed_movies;
