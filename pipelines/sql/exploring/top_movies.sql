-- One row per movie, for the $num_shown movies with the most reviews, the most first.
with final as (
    select movie_id, title, movie_count as reviews, average_rating from movies
)
select * from final order by reviews desc, movie_id limit $num_shown
