-- One row per movie whose metadata was staged: each column has its first value that is not null. The links are those
-- scraped from the details if there are any, else those in the metadata.
-- Few movies have several lines, and texts are large, so a movie with a single line is not copied.
drop view if exists described_movies;
create or replace table repeated_movies as
with repeated as (
    select movie_id from staged_metadata group by movie_id having count(*) > 1
),
placed as (
    select * exclude (file, line, unreadable), file * 1000000000000 + line as place
    from staged_metadata
    semi join repeated using (movie_id)
),
final as (
    -- `min_by` passes over nulls.
    select movie_id, min_by(columns(* exclude (movie_id, place)), place) from placed group by movie_id
)
select * from final;
create or replace view described_movies as
with merged as (
    select * exclude (file, line, unreadable)
    from staged_metadata
    where movie_id not in (select movie_id from repeated_movies)
    union all by name
    select * from repeated_movies
),
final as (
    select merged.* replace (coalesce(scraped_links.links, merged.links) as links)
    from merged
    left join scraped_links using (movie_id)
)
select * from final;
