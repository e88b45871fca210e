-- One row per movie whose metadata was staged: of lines that repeat, each column's first value that is one.
create or replace table described_movies as
with placed as (
    select *, file * 1000000000000 + line as place from staged_metadata
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
select * from final
