-- One row per movie and near neighbour: the cosine of their co-reviews, shrunk where few reviewers are in common.
-- $shrinkage: common reviewers at which a similarity counts half; $num_neighbours: rows kept of each movie.
with norms as (
    select movie_row, sqrt(sum(weight * weight)) as norm from signals group by movie_row
),
similar_pairs as (
    select
        first_row,
        second_row,
        co_review / (first_norms.norm * second_norms.norm) * num_common / (num_common + $shrinkage) as similarity
    from movie_pairs
    join norms as first_norms on first_norms.movie_row = first_row
    join norms as second_norms on second_norms.movie_row = second_row
),
both_ways as (
    select first_row as movie_row, second_row as neighbour_row, similarity from similar_pairs
    union all
    select second_row, first_row, similarity from similar_pairs
),
final as (
    select movie_row, neighbour_row, similarity::float as similarity
    from both_ways
    where similarity > 0
    qualify row_number() over (partition by movie_row order by similarity desc, neighbour_row) <= $num_neighbours
)
select * from final order by movie_row, neighbour_row
