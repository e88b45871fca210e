-- One row per review whose rating is missing although another review has a rating, or whose rating is not finite.
select reviewer_id, movie_id, rating
from reviews
where (rating is null and exists (select 1 from reviews as other where other.rating is not null))
    or not isfinite(rating)
order by reviewer_id, movie_id
