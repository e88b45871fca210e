-- One row per kept reviewer, numbered in the byte order of the ids.
-- The column `reviewer_number` is dropped at the end of ingestion.
create or replace table reviewers as
with counted as (
    select reviewer_number, count(*)::integer as reviewer_count from core_reviews group by reviewer_number
),
final as (
    select
        (row_number() over (order by reviewer_numbers.reviewer_id) - 1)::integer as reviewer_row,
        reviewer_numbers.reviewer_id,
        counted.reviewer_count,
        counted.reviewer_number
    from counted
    join reviewer_numbers using (reviewer_number)
)
select * from final order by reviewer_row
