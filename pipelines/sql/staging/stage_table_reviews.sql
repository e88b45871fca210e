-- One row per row of the view `source_rows`, which holds a Parquet file with our column names and all values as text.
-- $describes_movies: whether the file has columns that describe movies;
-- $file: the number of the source file;
-- $time_pattern: the pattern of the times, as in `strptime`, or null;
-- $with_text: keep the texts of reviews; $min_text_length: the least length of a text that gets a hash, or null.
insert into staged_reviews
with renamed as (
    select
        line, verified, style, reviewer_name, vote, review_text, summary,
        id_of(reviewer_id) as reviewer_id,
        id_of(movie_id) as movie_id,
        rating as raw_rating,
        time as raw_time,
        case when $describes_movies then
            [title, category, main_cat, description, brand, price, rank, year, date, links]
        end as movie_fields
    from source_rows
),
timed as (
    select
        *,
        coalesce(rating_of(raw_rating), verdict_of(raw_rating)) as rating,
        clear_time(raw_time, $time_pattern) as unix_review_time
    from renamed
),
final as (
    select *, rejection_reason(reviewer_id, movie_id, raw_rating, rating) as reason from timed
)
select
    $file, line, reviewer_id, movie_id, rating, comma_rating(raw_rating), unix_review_time,
    case when unix_review_time is null then present_time(raw_time) end,
    try_cast(verified as boolean), nullif(style, ''), nullif(reviewer_name, ''), helpful_of(vote),
    case when $with_text then review_text end,
    case when $with_text then summary end,
    number_of_text(review_text, $min_text_length),
    reason,
    case
        when reason is not null or rating is null
        then left(concat_ws(',', reviewer_id, movie_id, raw_rating, raw_time), 500)
    end,
    movie_fields
from final
