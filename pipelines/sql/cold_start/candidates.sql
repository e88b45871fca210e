-- One row per movie that has metadata, is not kept, and has at most $max_reviews latest reviews.
-- $max_reviews: the most reviews that a cold movie may have.
create or replace table cold_candidates as
with reviewed as (
    select
        any_value(movie_numbers.movie_id) as movie_id,
        count(*)::integer as movie_count,
        avg(latest_reviews.rating) as average_rating
    from latest_reviews
    join movie_numbers using (movie_number)
    group by movie_number
),
final as (
    select described_movies.movie_id, coalesce(reviewed.movie_count, 0) as movie_count, reviewed.average_rating
    from described_movies
    left join reviewed using (movie_id)
    where described_movies.movie_id not in (select movie_id from movies)
        and coalesce(reviewed.movie_count, 0) <= $max_reviews
        and coalesce(
            described_movies.title, described_movies.category, described_movies.brand, described_movies.description
        ) is not null
)
select * from final
