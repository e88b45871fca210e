-- Rejects the reviews whose rating is one of the ratings that are far off the scale of all others.
-- $ratings: the ratings to reject.
update staged_reviews
set reason = 'rating is off the scale', row_text = left(concat_ws(',', reviewer_id, movie_id, rating), 500)
where reason is null and rating in (select unnest($ratings::double[]))
