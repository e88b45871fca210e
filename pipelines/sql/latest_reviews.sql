-- One row per reviewer and movie: their latest review; of equally late ones, the last in the last file.
create or replace table latest_reviews as
select
    max_by(review_number, {
        'time': coalesce(unix_review_time, -9223372036854775807), 'file': file, 'line': line
    }) as review_number,
    reviewer_id,
    movie_id
from usable_reviews
where filtered is null
group by reviewer_id, movie_id
