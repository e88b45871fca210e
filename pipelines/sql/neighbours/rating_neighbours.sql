-- One row per movie and neighbour that is rated alike: the shrunk correlation of residual ratings.
-- $shrinkage: common reviewers at which a similarity counts half; $num_neighbours: rows kept of each movie.
with similar_pairs as (
    select
        first_row,
        second_row,
        product / sqrt(first_square * second_square) * num_common / (num_common + $shrinkage) as similarity
    from movie_pairs
    where first_square > 0 and second_square > 0 and product > 0
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
