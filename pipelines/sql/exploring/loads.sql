-- One row per kind and range of numbers of reviews: counts the reviewers or movies in that range.
-- The ranges are 1, 2, 3, 4-7, 8-15 and so on, each named by its first number.
with loads as (
    select 'reviewers' as kind, reviewer_count as num_reviews from reviewers
    union all
    select 'movies', movie_count from movies
),
final as (
    select
        kind,
        case when num_reviews < 4 then num_reviews else (2 ** floor(log2(num_reviews)))::bigint end as from_reviews,
        count(*) as holders
    from loads
    group by all
)
select * from final order by kind, from_reviews
