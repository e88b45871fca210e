-- One row per movie whose metadata was staged: of lines that repeat, each column's first value that is one.
-- Few do, and texts are large: what stands in one line is not copied.
drop view if exists described_movies;
create or replace table repeated_movies as
with repeated as (
    select movie_id from staged_metadata group by movie_id having count(*) > 1
),
placed as (
    select *, file * 1000000000000 + line as place from staged_metadata semi join repeated using (movie_id)
),
final as (
    select
        movie_id,
        min_by(title, place) filter (where title is not null) as title,
        min_by(category, place) filter (where category is not null) as category,
        min_by(main_cat, place) filter (where main_cat is not null) as main_cat,
        min_by(description, place) filter (where description is not null) as description,
        min_by(brand, place) filter (where brand is not null) as brand,
        min_by(price, place) filter (where price is not null) as price,
        min_by(rank, place) filter (where rank is not null) as rank,
        min_by(year, place) filter (where year is not null) as year,
        min_by(date, place) filter (where date is not null) as date,
        min_by(links, place) filter (where len(links) > 0) as links,
        min_by(details, place) filter (where details is not null) as details,
        min_by(also_buy, place) filter (where len(also_buy) > 0) as also_buy,
        min_by(also_view, place) filter (where len(also_view) > 0) as also_view
    from placed
    group by movie_id
)
select * from final;
create or replace view described_movies as
select
    movie_id, title, category, main_cat, description, brand, price, rank, year, date,
    case when len(links) > 0 then links end as links,
    details,
    case when len(also_buy) > 0 then also_buy end as also_buy,
    case when len(also_view) > 0 then also_view end as also_view
from staged_metadata
where movie_id not in (select movie_id from repeated_movies)
union all
select * from repeated_movies;
