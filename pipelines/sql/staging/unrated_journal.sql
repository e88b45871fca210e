-- Takes the ratings from the reviews of journals if no review file has a rating, since other reviews would else be
-- rejected. A dislike without a rating is no review.
update staged_reviews
set
    rating = null,
    reason = case
        when exists (
            select 1 from implicit_reviews
            where implicit_reviews.file = staged_reviews.file and implicit_reviews.line = staged_reviews.line
                and implicit_reviews.kind = 'dislike'
        ) then 'dislike without ratings'
        else reason
    end
where file >= $first_journal
    and exists (select 1 from staged_reviews as other where other.file < $first_journal and other.reason is null)
    and not exists (select 1 from staged_reviews as other where other.file < $first_journal and other.rating is not null)
