-- Where any row has a rating, one without is damaged; a source that has none at all holds views or purchases.
update staged_reviews
set reason = 'no rating'
where reason is null
    and rating is null
    and exists (select 1 from staged_reviews as other where other.reason is null and other.rating is not null)
