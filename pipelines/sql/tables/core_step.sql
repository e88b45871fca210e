-- Keeps the reviews in `core_reviews` whose reviewer and movie have enough reviews: one step to the k-core.
-- $min_reviews_per_reviewer, $min_reviews_per_movie: the least number of reviews of a reviewer or movie.
create or replace table core_reviews as
with active_reviewers as (
    select reviewer_number from core_reviews group by reviewer_number having count(*) >= $min_reviews_per_reviewer
),
known_movies as (
    select movie_number from core_reviews group by movie_number having count(*) >= $min_reviews_per_movie
),
final as (
    select * from core_reviews semi join active_reviewers using (reviewer_number)
    semi join known_movies using (movie_number)
)
select * from final
