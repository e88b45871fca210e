-- One row per rating that was given, from the lowest: counts the reviews with that rating.
with final as (
    select rating, count(*) as reviews
    from reviews
    where rating is not null
    group by rating
)
select * from final order by rating
