-- One row per movie and near neighbour, by one of three similarities.
-- $kind: 'co-reviews', the cosine of their co-reviews, shrunk; 'damped', the share of their reviewers that they have in
-- common, damped; 'ratings', the correlation of their residual ratings, shrunk.
-- $damping: common reviewers at which a shrunk similarity counts half, or reviews added to the norm of a damped one.
-- $num_neighbours: rows of each movie.
with totals as (
    select movie_row, sqrt(sum(weight * weight)) as norm, count(*) as num_reviews from signals group by movie_row
),
similar_pairs as (
    select
        first_row,
        second_row,
        case
            when $kind = 'co-reviews'
            then co_review / (first_movie.norm * second_movie.norm) * num_common / (num_common + $damping)
            when $kind = 'damped'
            then shared / (sqrt(first_movie.num_reviews * second_movie.num_reviews) + $damping)
            when first_square > 0 and second_square > 0
            then product / sqrt(first_square * second_square) * num_common / (num_common + $damping)
        end as similarity
    from movie_pairs
    join totals as first_movie on first_movie.movie_row = first_row
    join totals as second_movie on second_movie.movie_row = second_row
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
