-- One row per field of the metadata that could not be read, with the number of lines about reviewed movies.
with fields as (
    select unnest(unreadable) as field
    from staged_metadata
    where movie_id in (select movie_id from reviewed_movies)
),
final as (
    select field, count(*) as num_lines from fields group by field
)
select * from final order by field
