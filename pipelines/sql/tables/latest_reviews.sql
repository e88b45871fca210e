-- One row per reviewer and movie: the latest review, or of several latest reviews the last review in the last file.
create or replace table latest_reviews as
with remaining as (
    select * from usable_reviews where filtered is null
),
repeated_pairs as (
    select reviewer_number, movie_number from remaining group by reviewer_number, movie_number having count(*) > 1
),
-- Few pairs of reviewer and movie have several reviews, so only the reviews of these pairs are compared.
latest_of_repeated as (
    select
        max_by(review_number, {
            'time': coalesce(unix_review_time, -9223372036854775807), 'file': file, 'line': line
        }) as review_number
    from remaining
    semi join repeated_pairs using (reviewer_number, movie_number)
    group by reviewer_number, movie_number
),
final as (
    select review_number, reviewer_number, movie_number, rating
    from remaining
    anti join repeated_pairs using (reviewer_number, movie_number)
    union all
    select review_number, reviewer_number, movie_number, rating
    from remaining
    semi join latest_of_repeated using (review_number)
)
select * from final
