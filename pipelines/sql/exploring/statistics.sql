-- One row per quantity (ratings, reviews per reviewer, reviews per movie), with mean, standard deviation and quartiles.
-- Quartiles are interpolated, and the standard deviation is that of a sample (n - 1), like in pandas.
with quantities as (
    select 'ratings' as quantity, rating as value from reviews where rating is not null
    union all
    select 'reviews_per_reviewer', reviewer_count from reviewers
    union all
    select 'reviews_per_movie', movie_count from movies
),
final as (
    select
        quantity,
        count(*) as count,
        avg(value) as mean,
        case when count(*) > 1 then stddev_samp(value) end as sd,
        min(value) as min,
        quantile_cont(value, 0.25) as q1,
        quantile_cont(value, 0.5) as median,
        quantile_cont(value, 0.75) as q3,
        max(value) as max
    from quantities
    group by quantity
)
select * from final order by quantity
