-- One row per month with a review that has a time.
with final as (
    select year(review_time) as year, month(review_time) as month, count(*) as reviews
    from reviews
    where review_time is not null
    group by all
)
select * from final order by year, month
