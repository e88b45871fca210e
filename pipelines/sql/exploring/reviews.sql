-- One row per review, as the search for copies needs it.
-- $min_length: shorter texts count as none.
with final as (
    select
        reviewer_row,
        movie_row,
        rating,
        coalesce(unix_review_time, 0) as time,
        case when length(review_text) >= $min_length then (hash(review_text) >> 1)::bigint else 0 end as text,
        file,
        line
    from reviews
)
select * from final order by reviewer_row, time, file, line
