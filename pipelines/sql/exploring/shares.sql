-- One row: counts the reviewers with two or three reviews, and the movies with at least $many reviews.
-- $many: the least number of reviews of a movie that is said to have many reviews.
with final as (
    select
        (select count(*) from reviewers where reviewer_count between 2 and 3) as reviewers_with_two_or_three,
        (select count(*) from movies where movie_count >= $many) as movies_with_many
)
select * from final
