-- One row: counts the reviewers and movies that the findings are about.
-- $many: the least number of reviews of a movie with many reviews.
with final as (
    select
        (select count(*) from reviewers where reviewer_count between 2 and 3) as reviewers_with_two_or_three,
        (select count(*) from movies where movie_count >= $many) as movies_with_many
)
select * from final
