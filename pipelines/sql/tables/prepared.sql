-- One row per kept review, with the columns of the reviewed movie.
create or replace view prepared as
select
    reviews.rating,
    reviews.review_time,
    reviews.reviewer_id,
    reviews.movie_id,
    reviews.style,
    reviews.reviewer_name,
    reviews.review_text,
    reviews.summary,
    reviews.unix_review_time,
    reviews.vote,
    reviews.verified,
    movies.category,
    movies.title,
    movies.main_cat,
    movies.description,
    movies.brand,
    movies.price,
    movies.links,
    reviewers.reviewer_count,
    movies.movie_count,
    movies.average_rating
from reviews
join reviewers using (reviewer_row)
join movies using (movie_row)
order by reviews.reviewer_row, reviews.movie_row
