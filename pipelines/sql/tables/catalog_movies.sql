-- One row per movie: movie_row, and the columns that the SQL condition of a query may name.
create table catalog.movies as
with final as (
    select
        movie_row::bigint as movie_row,
        movie_id,
        title,
        category,
        main_cat,
        description,
        brand,
        price::double as price,
        rank::integer as rank,
        year::integer as year,
        date,
        movie_count::integer as movie_count,
        average_rating::double as average_rating
    from movies
)
select * from final
order by movie_row
