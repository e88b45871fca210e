-- Rejects every row without a rating if another row has a rating; files without any rating hold views or purchases.
update staged_reviews
set reason = 'no rating'
where reason is null
    and rating is null
    and exists (select 1 from staged_reviews as other where other.reason is null and other.rating is not null)
