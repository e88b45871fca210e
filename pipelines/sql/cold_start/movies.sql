-- One row per movie with too few reviews to learn from, with the columns of the table `movies`.
create or replace table cold_movies as
with final as (
    select described_movies.* exclude (details), cold_candidates.movie_count, cold_candidates.average_rating
    from cold_candidates
    join described_movies on described_movies.movie_id = cold_candidates.movie_id
)
select * from final
