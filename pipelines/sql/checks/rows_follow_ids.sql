-- One row per reviewer or movie whose reviewer_row or movie_row is not the rank of the id in byte order.
with ranked as (
    select 'reviewer' as kind, reviewer_row as row_number, reviewer_id as id, row_number() over (order by reviewer_id) - 1 as rank
    from reviewers
    union all
    select 'movie', movie_row, movie_id, row_number() over (order by movie_id) - 1 from movies
)
select * from ranked where row_number is distinct from rank order by kind, row_number
