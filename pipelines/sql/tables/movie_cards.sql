-- One row per movie, ordered by movie_row: the columns to show in a recommendation list beside the movie's score.
with final as (
    select
        movie_row,
        title,
        category,
        main_cat,
        brand,
        case when isfinite(price::double) then price::double end as price,
        year,
        case when isfinite(average_rating::double) then average_rating::double end as average_rating,
        movie_count,
        links[1] as link,
        links
    from movies
)
select * exclude (movie_row) from final
order by movie_row
