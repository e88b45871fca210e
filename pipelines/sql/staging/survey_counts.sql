-- One row: counts the staged rows that the filters of single rows keep, and the reviewers and the movies in the first
-- half of these rows and in all of them.
-- $since, $until: the first and the last day kept (UTC), or null; $verified_only: keep verified purchases alone.
with kept as (
    select reviewer_id, movie_id, line
    from staged_reviews
    where reason is null
        and ($since::date is null or unix_review_time >= epoch($since::date))
        and ($until::date is null or unix_review_time < epoch($until::date + 1))
        and (verified or not $verified_only)
),
halves as (
    select reviewer_id, movie_id, line <= median(line) over () as is_first
    from kept
),
final as (
    select
        count(*),
        count(distinct reviewer_id) filter (is_first),
        count(distinct reviewer_id),
        count(distinct movie_id) filter (is_first),
        count(distinct movie_id)
    from halves
)
select * from final
