-- One row per movie without enough reviews under the columns that a condition may name; those of a review are null.
create or replace temp view cold_rows as
select
    movie_id,
    null::double as rating,
    null::timestamp as review_time,
    null::varchar as reviewer_id,
    null::varchar as style,
    null::varchar as reviewer_name,
    null::varchar as review_text,
    null::varchar as summary,
    null::bigint as unix_review_time,
    null::integer as vote,
    null::boolean as verified,
    category,
    title,
    main_cat,
    description,
    brand,
    price,
    links,
    null::integer as reviewer_count,
    movie_count,
    average_rating,
    rank,
    year,
    date
from cold_movies
