-- One row per reviewer and movie: the latest review, or of several latest reviews the last review in the last file.
-- A purchase in a journal is the latest review if the purchase has a higher rating than the latest earlier review that
-- is not a click. A click in a journal is the latest review if the reviewer has no other review of the movie.
create or replace table latest_reviews as
with remaining as (
    select * from usable_reviews where filtered is null
),
repeated_pairs as (
    select reviewer_number, movie_number from remaining group by reviewer_number, movie_number having count(*) > 1
),
-- Few pairs of reviewer and movie have several reviews, so only the reviews of these pairs are compared.
of_repeated as (
    select
        remaining.*,
        implicit_reviews.kind,
        {'time': coalesce(unix_review_time, -9223372036854775807), 'file': file, 'line': line} as place
    from remaining
    semi join repeated_pairs using (reviewer_number, movie_number)
    left join implicit_reviews using (file, line)
),
said as (
    select
        reviewer_number, movie_number,
        max_by(review_number, place) as review_number, max_by(rating, place) as rating, max(place) as place
    from of_repeated
    where kind is null or kind = 'dislike'
    group by reviewer_number, movie_number
),
purchases as (
    select
        of_repeated.reviewer_number, of_repeated.movie_number,
        min_by(of_repeated.review_number, {'below': -coalesce(of_repeated.rating, 0), 'place': of_repeated.place}) as review_number
    from of_repeated
    left join said using (reviewer_number, movie_number)
    where kind = 'purchase'
        and (said.review_number is null or (of_repeated.place > said.place and of_repeated.rating > said.rating))
    group by of_repeated.reviewer_number, of_repeated.movie_number
),
clicks as (
    select reviewer_number, movie_number, min_by(review_number, place) as review_number
    from of_repeated
    where kind = 'click'
    group by reviewer_number, movie_number
),
latest_of_repeated as (
    select coalesce(purchases.review_number, said.review_number, clicks.review_number) as review_number
    from repeated_pairs
    left join purchases using (reviewer_number, movie_number)
    left join said using (reviewer_number, movie_number)
    left join clicks using (reviewer_number, movie_number)
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
