-- One row per kind (reviewers, movies) and range: counts reviewers or movies whose number of reviews is in the range.
-- The ranges are 1, 2, 3, 4-7, 8-15 and so on; `from_reviews` is the first number of the range.
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
