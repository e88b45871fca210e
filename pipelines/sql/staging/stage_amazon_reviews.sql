-- One row per valid line of Amazon reviews, of 2014, 2018 or 2023; returns the numbers of the valid lines. The
-- statement `stage_doubtful_reviews` reads all other lines, knows rarer notations and finds the reason for rejection.
-- $path: a file of lines that are not blank; $size: the bytes of the file; $first_line: the number of the first line;
-- $lines: the line numbers of all lines if not consecutive, else null; $file: the number of the source file;
-- $time_pattern: the pattern of the times, as in `strptime`, or null;
-- $with_text: keep the texts of reviews; $min_text_length: the least length of a text that gets a hash, or null.
insert into staged_reviews
with parsed as (
    select row_number() over () as place, *
    from read_json(
        $path,
        format = 'newline_delimited',
        ignore_errors = true,
        maximum_object_size = $size,
        columns = {
            reviewerID: 'VARCHAR', user_id: 'VARCHAR', asin: 'VARCHAR', parent_asin: 'VARCHAR',
            overall: 'VARCHAR', rating: 'VARCHAR', unixReviewTime: 'VARCHAR', timestamp: 'VARCHAR',
            verified: 'VARCHAR', verified_purchase: 'VARCHAR', style: 'VARCHAR', reviewerName: 'VARCHAR',
            vote: 'VARCHAR', helpful_vote: 'VARCHAR', helpful: 'VARCHAR',
            reviewText: 'VARCHAR', text: 'VARCHAR', summary: 'VARCHAR', title: 'VARCHAR'
        }
    )
),
renamed as (
    select
        coalesce(($lines::bigint[])[place], $first_line + place - 1) as line,
        coalesce(parsed.reviewerID, parsed.user_id) as raw_reviewer,
        coalesce(parsed.parent_asin, parsed.asin) as raw_movie,
        coalesce(parsed.overall, parsed.rating) as raw_rating,
        coalesce(parsed.unixReviewTime, parsed.timestamp) as raw_time,
        try_cast(coalesce(parsed.verified, parsed.verified_purchase) as boolean) as verified,
        nullif(nullif(parsed.style, ''), '{}') as style,
        nullif(parsed.reviewerName, '') as reviewer_name,
        helpful_votes(parsed.vote, parsed.helpful_vote, parsed.helpful) as vote,
        coalesce(parsed.reviewText, parsed.text) as review_text,
        coalesce(parsed.summary, parsed.title) as summary
    from parsed
),
-- A macro repeats its argument, and a condition repeats what it tests, so each step is computed before the next one.
numbered as (
    select
        *,
        id_of(raw_reviewer) as reviewer_id,
        id_of(raw_movie) as movie_id,
        number_of(raw_rating) as rating,
        number_of(raw_time) as time_number
    from renamed
),
counted as (
    select *, unix_seconds(time_number) as seconds from numbered
),
timed as (
    select *, possible_time(seconds) as unix_review_time from counted
),
final as (
    select * from timed
    where reviewer_id is not null and raw_reviewer[1] not in ('{', '[')
        and movie_id is not null and raw_movie[1] not in ('{', '[')
        and abs(rating) <= 1e9
        and time_number is not null and $time_pattern is null
)
select
    $file, line, reviewer_id, movie_id, rating, null, unix_review_time,
    case when unix_review_time is null then raw_time end, verified, style, reviewer_name, vote,
    case when $with_text then review_text end,
    case when $with_text then summary end,
    number_of_text(review_text, $min_text_length),
    null, null, null
from final
returning line
