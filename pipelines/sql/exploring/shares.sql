-- One row: the counts behind the statements about reviewers and movies.
-- $many: reviews from which a movie has many.
with final as (
    select
        (select count(*) from reviewers where reviewer_count between 2 and 3) as reviewers_with_two_or_three,
        (select count(*) from movies where movie_count >= $many) as movies_with_many
)
select * from final
