-- Pairs of reviewer and movie that stand in more than one review.
select reviewer_id, movie_id, count(*) as num_reviews
from reviews group by reviewer_id, movie_id having count(*) > 1 order by reviewer_id, movie_id
