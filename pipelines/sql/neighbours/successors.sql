-- One row per movie and successor, the movies that came most often and soonest after each movie in histories.
-- The weight of a successor is `(after + before / 4) / (geometric mean of both movies' reviews + $damping)`. The sum
-- `after` has a term `1 / sqrt(gap)` for each reviewer with `gap` places from the movie to the successor; the sum
-- `before` has the same terms for the reviewers who reviewed the successor first.
-- $damping: the number that is added to the geometric mean, so that rarely reviewed movies get small weights.
-- $num_neighbours: the most successors of each movie.
with totals as (
    select movie_row, count(*) as num_reviews from signals group by movie_row
),
both_ways as (
    select first_row as movie_row, second_row as neighbour_row, after_first + after_second / 4 as soon from movie_pairs
    union all
    select second_row, first_row, after_second + after_first / 4 from movie_pairs
),
weighed as (
    select
        both_ways.movie_row,
        neighbour_row,
        soon / (sqrt(movie.num_reviews * successor.num_reviews) + $damping) as similarity
    from both_ways
    join totals as movie on movie.movie_row = both_ways.movie_row
    join totals as successor on successor.movie_row = neighbour_row
),
final as (
    select movie_row, neighbour_row, similarity::float as similarity
    from weighed
    qualify row_number() over (partition by movie_row order by similarity desc, neighbour_row) <= $num_neighbours
)
select * from final order by movie_row, neighbour_row
