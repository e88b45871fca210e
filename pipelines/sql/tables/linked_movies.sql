-- One row per movie and other movie in `movies` that customers also viewed or also bought, according to the metadata.
with links as (
    select
        movie_row,
        unnest(list_distinct(list_concat(coalesce(also_view, []), coalesce(also_buy, [])))) as linked_id
    from movies
),
final as (
    select links.movie_row, linked.movie_row as linked_row
    from links
    join movies as linked on linked.movie_id = links.linked_id
    where linked.movie_row <> links.movie_row
)
select * from final order by movie_row, linked_row
