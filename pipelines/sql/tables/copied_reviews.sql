-- One row per pair of movies with copied reviews: counts the reviewers who wrote the same text about both movies with
-- the same time and rating, and the reviews of the movie with fewer reviews.
-- $max_copies: a text that a reviewer wrote about more than $max_copies movies is a stock phrase, not a copy.
with texts as (
    select reviewer_row, movie_row, unix_review_time as time, rating, text_number
    from reviews
    where text_number <> 0
    qualify count(*) over (partition by reviewer_row, time, rating, text_number) between 2 and $max_copies
),
copies as (
    select first.movie_row as first_row, second.movie_row as second_row, count(distinct first.reviewer_row) as num_copies
    from texts as first
    join texts as second
        on first.reviewer_row = second.reviewer_row
        and first.text_number = second.text_number
        and first.time is not distinct from second.time
        and first.rating is not distinct from second.rating
        and first.movie_row < second.movie_row
    group by first.movie_row, second.movie_row
),
final as (
    select
        first_row,
        second_row,
        num_copies,
        least(first_movies.movie_count, second_movies.movie_count) as num_reviews
    from copies
    join movies as first_movies on first_movies.movie_row = first_row
    join movies as second_movies on second_movies.movie_row = second_row
)
select * from final order by num_copies desc, first_row, second_row
