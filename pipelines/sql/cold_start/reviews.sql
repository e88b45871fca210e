-- One row per latest review of a cold movie by a kept reviewer; the review tells that the reviewer has seen the movie.
create or replace table cold_reviews as
with final as (
    select
        reviewers.reviewer_row,
        cold_movies.movie_id,
        latest_reviews.rating,
        coalesce(staged_reviews.unix_review_time, 0) as time
    from latest_reviews
    join movie_numbers using (movie_number)
    join cold_movies on cold_movies.movie_id = movie_numbers.movie_id
    join reviewers on reviewers.reviewer_number = latest_reviews.reviewer_number
    join staged_reviews on staged_reviews.rowid = latest_reviews.review_number
)
select * from final order by reviewer_row, time, movie_id
