-- One row per kept reviewer, numbered in the order of the bytes of their ids.
create or replace table reviewers as
with counted as (
    select staged_reviews.reviewer_id, count(*)::integer as reviewer_count
    from core_reviews
    join staged_reviews on staged_reviews.rowid = core_reviews.review_number
    group by staged_reviews.reviewer_id
),
final as (
    select (row_number() over (order by reviewer_id) - 1)::integer as reviewer_row, reviewer_id, reviewer_count
    from counted
)
select * from final order by reviewer_row
