-- One row per metadata field with unreadable values, with the number of lines in which the field is unreadable.
with fields as (
    select unnest(list_concat(
        unreadable,
        -- A price may be given but unreadable, such as a style sheet.
        case when price is null and raw_price is not null then ['price'] else [] end
    )) as field
    from staged_metadata
    where movie_id in (select movie_id from reviewed_movies)
),
final as (
    select field, count(*) as num_lines from fields group by field
)
select * from final order by field
