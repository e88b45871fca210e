-- One row per movie and near neighbour: the part of their reviewers that they share, damped where movies have few.
-- $damping: reviews added to the norm; $num_neighbours: rows kept of each movie.
with counts as (
    select movie_row, count(*) as num_reviews from signals group by movie_row
),
similar_pairs as (
    select
        first_row,
        second_row,
        shared / (sqrt(first_counts.num_reviews * second_counts.num_reviews) + $damping) as similarity
    from movie_pairs
    join counts as first_counts on first_counts.movie_row = first_row
    join counts as second_counts on second_counts.movie_row = second_row
),
both_ways as (
    select first_row as movie_row, second_row as neighbour_row, similarity from similar_pairs
    union all
    select second_row, first_row, similarity from similar_pairs
),
final as (
    select movie_row, neighbour_row, similarity::float as similarity
    from both_ways
    qualify row_number() over (partition by movie_row order by similarity desc, neighbour_row) <= $num_neighbours
)
select * from final order by movie_row, neighbour_row
