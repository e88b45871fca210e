-- One row per movie and neighbour, the most similar movies by one of three similarities of two movies.
-- $kind: 'co-reviews', the cosine of review weights, shrunk by n / (n + $damping) for n common reviewers; 'damped', the
-- common reviewers over (geometric mean of both movies' reviews + $damping); 'ratings', the correlation of ratings
-- less expected ratings, shrunk like 'co-reviews'.
-- $damping: the number of common reviewers that halves a shrunk similarity, or the reviews added in 'damped'.
-- $num_neighbours: the most neighbours of each movie.
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
