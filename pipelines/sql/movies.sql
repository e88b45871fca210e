-- One row per kept movie, numbered in the order of the bytes of their ids; what nothing describes is null.
create or replace table movies as
with counted as (
    select
        staged_reviews.movie_id,
        count(*)::integer as movie_count,
        avg(staged_reviews.rating) as average_rating
    from core_reviews
    join staged_reviews on staged_reviews.rowid = core_reviews.review_number
    group by staged_reviews.movie_id
),
final as (
    select
        (row_number() over (order by counted.movie_id) - 1)::integer as movie_row,
        counted.movie_id,
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
        counted.average_rating
    from counted
    left join described_movies using (movie_id)
    left join scraped_links using (movie_id)
)
select * from final order by movie_row
