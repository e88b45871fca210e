-- One row per movie that is kept, whose links have not been scraped before.
create or replace table wanted_movies as
select distinct staged_reviews.movie_id
from core_reviews
join staged_reviews on staged_reviews.rowid = core_reviews.review_number
