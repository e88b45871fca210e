-- One row per review that was not rejected; `filtered` is the filter that drops the review, or null.
-- $since, $until: the first and the last day to keep (UTC), or null; $verified_only: keep only verified purchases.
create or replace table usable_reviews as
select
    staged_reviews.rowid as review_number,
    reviewer_numbers.reviewer_number,
    movie_numbers.movie_number,
    staged_reviews.rating,
    staged_reviews.unix_review_time,
    staged_reviews.file,
    staged_reviews.line,
    case
        when $since::date is not null and coalesce(unix_review_time < epoch($since::date), true) then 'since-until'
        when $until::date is not null and coalesce(unix_review_time >= epoch($until::date + 1), true) then 'since-until'
        when $verified_only and verified is not true then 'unverified'
    end as filtered
from staged_reviews
join reviewer_numbers using (reviewer_id)
join movie_numbers using (movie_id)
where staged_reviews.reason is null
