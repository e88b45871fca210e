-- One row: counts the staged rows of each file that $since, $until and $verified_only keep, and the reviewers and the
-- movies in the first half of the kept rows of every file and in all kept rows.
-- A time that only the whole column explains, in `raw_time`, counts as a time in the range.
-- $since, $until: the first and the last day to keep (UTC), or null; $verified_only: keep only verified purchases.
with kept as (
    select file, reviewer_id, movie_id, line
    from staged_reviews
    where reason is null
        and ($since::date is null or unix_review_time >= epoch($since::date) or raw_time is not null)
        and ($until::date is null or unix_review_time < epoch($until::date + 1) or raw_time is not null)
        and (verified or not $verified_only)
),
halves as (
    select file, reviewer_id, movie_id, line <= median(line) over (partition by file) as is_first
    from kept
),
final as (
    select
        histogram(file),
        count(distinct reviewer_id) filter (is_first),
        count(distinct reviewer_id),
        count(distinct movie_id) filter (is_first),
        count(distinct movie_id)
    from halves
)
select * from final
