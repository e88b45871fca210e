-- One row per metadata field with unreadable values, with the number of lines in which the field is unreadable.
with fields as (
    select unnest(unreadable) as field
    from staged_metadata
    where movie_id in (select movie_id from reviewed_movies)
),
final as (
    select field, count(*) as num_lines from fields group by field
)
select * from final order by field
