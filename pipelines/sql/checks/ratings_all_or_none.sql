-- Reviews without a rating where others have one, and ratings that are no numbers.
select reviewer_id, movie_id, rating
from reviews
where (rating is null and exists (select 1 from reviews as other where other.rating is not null))
    or not isfinite(rating)
order by reviewer_id, movie_id
