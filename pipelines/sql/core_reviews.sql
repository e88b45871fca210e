-- One row per chosen review, with small numbers for its reviewer and movie, which are quick to count by.
create or replace table core_reviews as
with chosen as (
    select latest_reviews.review_number, latest_reviews.reviewer_id, latest_reviews.movie_id
    from latest_reviews
    semi join chosen_reviews using (review_number)
),
reviewer_numbers as (
    select reviewer_id, row_number() over () as reviewer_number from (select distinct reviewer_id from chosen)
),
movie_numbers as (
    select movie_id, row_number() over () as movie_number from (select distinct movie_id from chosen)
),
final as (
    select chosen.review_number, reviewer_numbers.reviewer_number, movie_numbers.movie_number
    from chosen
    join reviewer_numbers using (reviewer_id)
    join movie_numbers using (movie_id)
)
select * from final
