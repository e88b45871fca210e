-- One row per record of a block of delimited text, such as MovieLens' files, CSV or TSV, or of JSON lines.
-- $text: the records, separated by $record_end; $first_line: the line number of the first record; $lines: the line
-- number of each record if records may span lines, else null; $file: the number of the source file; $delimiter,
-- $num_fields: the separator and the number of fields in a record, for delimited text; $paths: the JSON pointer of each
-- field, for JSON lines, else null; $partition: the values of the columns that the file's folders give, or null;
-- $num_own: the number of columns before these; $*_field: the position of each column, counted from 1, or 0 if the file lacks the
-- column; $movie_fields: the positions of the columns that describe a movie, or null if the file describes no movies;
-- $time_pattern: the pattern of the times, as in `strptime`, or null;
-- $with_text: keep the texts of reviews; $min_text_length: the least length of a text that gets a hash, or null.
insert into staged_reviews
with block as (
    select string_split($text, $record_end) as records
),
numbered_records as (
    select
        unnest(records) as row_text,
        unnest(coalesce($lines::bigint[], range($first_line, $first_line + len(records)))) as line
    from block
),
cut as (
    select
        line,
        row_text,
        case
            when $paths::varchar[] is null then string_split(row_text, $delimiter)
            when regexp_matches(row_text, '^[ \t]*\{') then try(json_extract_string(row_text, $paths::varchar[]))
        end as own_fields
    from numbered_records
),
extended as (
    select
        line,
        row_text,
        case
            when $paths::varchar[] is not null and own_fields is null then 'not a JSON object'
            -- An empty field too many is no fault.
            when $paths::varchar[] is null and len(own_fields) <> $num_fields
                and (len(own_fields) <> $num_fields + 1 or trim(own_fields[-1]) <> '')
            then 'wrong number of fields'
        end as parse_reason,
        case
            when $partition::varchar[] is null then own_fields
            else list_concat(list_resize(own_fields, $num_own), $partition::varchar[])
        end as fields
    from cut
),
renamed as (
    select
        line,
        row_text,
        parse_reason,
        -- A JSON object or list is no id, but a JSON string that looks like an object or list is an id.
        case
            when $paths::varchar[] is null or fields[$reviewer_field][1] not in ('{', '[')
                or try(json_type(row_text, ($paths::varchar[])[$reviewer_field])) = 'VARCHAR'
            then id_of(fields[$reviewer_field])
        end as reviewer_id,
        case
            when $paths::varchar[] is null or fields[$movie_field][1] not in ('{', '[')
                or try(json_type(row_text, ($paths::varchar[])[$movie_field])) = 'VARCHAR'
            then id_of(fields[$movie_field])
        end as movie_id,
        fields[$rating_field] as raw_rating,
        fields[$time_field] as raw_time,
        try_cast(fields[$verified_field] as boolean) as verified,
        nullif(fields[$style_field], '') as style,
        nullif(fields[$reviewer_name_field], '') as reviewer_name,
        helpful_of(fields[$vote_field]) as vote,
        nullif(fields[$review_text_field], '') as review_text,
        nullif(fields[$summary_field], '') as summary,
        list_select(fields, $movie_fields::bigint[]) as movie_fields
    from extended
),
timed as (
    select
        *,
        coalesce(rating_of(raw_rating), verdict_of(raw_rating)) as rating,
        clear_time(raw_time, $time_pattern) as unix_review_time
    from renamed
),
final as (
    select
        *,
        coalesce(parse_reason, rejection_reason(reviewer_id, movie_id, raw_rating, rating)) as reason
    from timed
)
select
    $file, line, reviewer_id, movie_id, rating, comma_rating(raw_rating), unix_review_time,
    case when unix_review_time is null then present_time(raw_time) end, verified, style,
    reviewer_name, vote,
    case when $with_text then review_text end,
    case when $with_text then summary end,
    number_of_text(review_text, $min_text_length),
    reason,
    case when reason is not null or rating is null then left(replace(row_text, chr(31), ','), 500) end,
    movie_fields
from final
