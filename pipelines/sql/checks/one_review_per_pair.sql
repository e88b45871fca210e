-- One row per pair of reviewer and movie with more than one review.
select any_value(reviewer_id) as reviewer_id, any_value(movie_id) as movie_id, count(*) as num_reviews
from reviews group by reviewer_row, movie_row having count(*) > 1 order by reviewer_row, movie_row
