-- One row per movie of an index, completed by new metadata, and one row per new movie that the metadata describes.
-- `movie_row` numbers all movies anew; `learned_row` is the old movie_row in the index, or null for a new movie.
create or replace table movies as
with every_id as (
    select movie_id from known_movies
    union
    select movie_id from described_movies where coalesce(title, category, brand, description) is not null
),
final as (
    select
        (row_number() over (order by every_id.movie_id) - 1)::integer as movie_row,
        every_id.movie_id,
        coalesce(described_movies.title, known_movies.title) as title,
        coalesce(described_movies.category, known_movies.category) as category,
        coalesce(described_movies.main_cat, known_movies.main_cat) as main_cat,
        coalesce(described_movies.description, known_movies.description) as description,
        coalesce(described_movies.brand, known_movies.brand) as brand,
        coalesce(described_movies.price, known_movies.price) as price,
        coalesce(described_movies.rank, known_movies.rank) as rank,
        coalesce(described_movies.year, known_movies.year) as year,
        coalesce(described_movies.date, known_movies.date) as date,
        coalesce(described_movies.links, known_links.links) as links,
        described_movies.also_buy,
        described_movies.also_view,
        coalesce(known_movies.movie_count, 0) as movie_count,
        known_movies.average_rating,
        known_movies.movie_row::integer as learned_row
    from every_id
    left join known_movies using (movie_id)
    left join described_movies using (movie_id)
    left join known_links on known_links.movie_row = known_movies.movie_row
)
select * from final order by movie_row
