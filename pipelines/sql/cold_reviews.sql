-- One row per latest review of a movie without enough reviews by a kept reviewer, who has seen it therefore.
create or replace table cold_reviews as
with final as (
    select
        reviewers.reviewer_row,
        latest_reviews.movie_id,
        staged_reviews.rating,
        coalesce(staged_reviews.unix_review_time, 0) as time
    from latest_reviews
    join staged_reviews on staged_reviews.rowid = latest_reviews.review_number
    join cold_movies on cold_movies.movie_id = latest_reviews.movie_id
    join reviewers on reviewers.reviewer_id = latest_reviews.reviewer_id
)
select * from final order by reviewer_row, time, movie_id
