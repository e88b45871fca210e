-- One row per pair of movies that have a reviewer in common; the first movie has the lower movie_row.
-- Reads the table `signals`, one row per review: reviewer_row, movie_row, weight (the weight of the review in
-- co-reviews), share (a weight in which a like counts no more than another review), residual (the rating less the
-- expected rating), place (the position of the review in the reviewer's history).
create or replace temp table movie_pairs as
with final as (
    select
        first_signal.movie_row as first_row,
        second_signal.movie_row as second_row,
        count(*) as num_common,
        sum(first_signal.weight * second_signal.weight) as co_review,
        sum(first_signal.share * second_signal.share) as shared,
        sum(if(second_signal.place > first_signal.place, 1 / sqrt(abs(second_signal.place - first_signal.place)), 0))
            as after_first,
        sum(if(first_signal.place > second_signal.place, 1 / sqrt(abs(first_signal.place - second_signal.place)), 0))
            as after_second,
        sum(first_signal.residual * second_signal.residual) as product,
        sum(first_signal.residual * first_signal.residual) as first_square,
        sum(second_signal.residual * second_signal.residual) as second_square
    from signals as first_signal
    join signals as second_signal
        on first_signal.reviewer_row = second_signal.reviewer_row
        and first_signal.movie_row < second_signal.movie_row
    group by all
)
select * from final
