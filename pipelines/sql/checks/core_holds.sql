-- One row per reviewer or movie with fewer reviews than $min_reviews_per_reviewer or $min_reviews_per_movie.
select 'reviewer' as kind, reviewer_id as id, reviewer_count as num_reviews
from reviewers where reviewer_count < $min_reviews_per_reviewer
union all
select 'movie', movie_id, movie_count from movies where movie_count < $min_reviews_per_movie
order by kind, id
