-- One row per reviewer, for the $num_shown reviewers with the most reviews, the most first.
with final as (
    select reviewers.reviewer_id, count(*) as reviews, avg(reviews.rating) as average_rating
    from reviews
    join reviewers using (reviewer_row)
    group by reviewers.reviewer_row, reviewers.reviewer_id
)
select * from final order by reviews desc, reviewer_id limit $num_shown
