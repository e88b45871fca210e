-- One row per kept movie, numbered in the order of the bytes of their ids; what nothing describes is null, and
-- `movie_number` is gone in the end.
create or replace table movies as
with counted as (
    select movie_number, count(*)::integer as movie_count, avg(rating) as average_rating
    from core_reviews
    group by movie_number
),
final as (
    select
        (row_number() over (order by movie_numbers.movie_id) - 1)::integer as movie_row,
        movie_numbers.movie_id,
        described_movies.title,
        described_movies.category,
        described_movies.main_cat,
        described_movies.description,
        described_movies.brand,
        described_movies.price,
        described_movies.rank,
        described_movies.year,
        described_movies.date,
        coalesce(scraped_links.links, described_movies.links) as links,
        described_movies.also_buy,
        described_movies.also_view,
        counted.movie_count,
        counted.average_rating,
        counted.movie_number
    from counted
    join movie_numbers using (movie_number)
    left join described_movies using (movie_id)
    left join scraped_links using (movie_id)
)
select * from final order by movie_row
