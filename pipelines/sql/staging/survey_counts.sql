-- One row: how many staged rows the plain filters keep, and the reviewers and movies in the first half of those and
-- in all. Parameters: since and until, days or null; verified_only.
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
