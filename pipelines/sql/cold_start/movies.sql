-- One row per movie that has too few reviews to be learned from, with the columns of the table `movies`.
create or replace table cold_movies as
with final as (
    select
        cold_candidates.movie_id,
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
        cold_candidates.movie_count,
        cold_candidates.average_rating
    from cold_candidates
    join described_movies using (movie_id)
    left join scraped_links using (movie_id)
)
select * from final
