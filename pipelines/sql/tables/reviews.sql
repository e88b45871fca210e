-- One row per kept review, ordered by reviewer_row and movie_row.
-- $keep_text: whether to keep the texts of the reviews.
create or replace table reviews as
with final as (
    select
        reviewers.reviewer_row,
        movies.movie_row,
        reviewers.reviewer_id,
        movies.movie_id,
        staged_reviews.file,
        staged_reviews.line,
        staged_reviews.rating,
        staged_reviews.unix_review_time,
        make_timestamp(staged_reviews.unix_review_time * 1000000) as review_time,
        staged_reviews.verified,
        staged_reviews.style,
        staged_reviews.reviewer_name,
        staged_reviews.vote,
        case when $keep_text then staged_reviews.review_text end as review_text,
        staged_reviews.text_number,
        case when $keep_text then staged_reviews.summary end as summary
    from core_reviews
    join staged_reviews on staged_reviews.rowid = core_reviews.review_number
    join reviewers using (reviewer_number)
    join movies using (movie_number)
)
select * from final order by reviewer_row, movie_row
