-- One row per kind and number of reviews: how many reviewers or movies have so many.
-- From 4 on, numbers are taken together up to the next power of two: 4-7, 8-15 and so on, named by the first.
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
