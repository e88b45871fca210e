-- One row per movie whose metadata was staged: each column has the first value that is not null in the movie's lines.
-- The column `links` holds the links scraped from the movie's details, or else the links in the metadata.
-- Few movies have several lines, and texts are large, so only the movies with several lines are copied to a table.
drop view if exists described_movies;
create or replace table repeated_movies as
with repeated as (
    select movie_id from staged_metadata group by movie_id having count(*) > 1
),
placed as (
    select * exclude (file, line, unreadable, raw_price), file * 1000000000000 + line as place
    from staged_metadata
    semi join repeated using (movie_id)
),
final as (
    -- `min_by` ignores null values.
    select movie_id, min_by(columns(* exclude (movie_id, place)), place) from placed group by movie_id
)
select * from final;
create or replace view described_movies as
with merged as (
    select * exclude (file, line, unreadable, raw_price)
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
