-- One row per line of Amazon reviews that `stage_amazon_reviews` left out, with a reason if the line is unusable.
-- $texts: the lines; $lines: the line number of each line; $file: the number of the source file;
-- $time_pattern: the pattern of the times, as in `strptime`, or null;
-- $with_text: keep the texts of reviews; $min_text_length: the least length of a text that gets a hash, or null.
insert into staged_reviews
with numbered_lines as (
    select unnest($texts::varchar[]) as row_text, unnest($lines::bigint[]) as line
),
parsed as (
    select
        line,
        row_text,
        try(json_transform(row_text, '{
            "reviewerID": "VARCHAR", "user_id": "VARCHAR", "asin": "VARCHAR", "parent_asin": "VARCHAR",
            "overall": "VARCHAR", "rating": "VARCHAR", "unixReviewTime": "VARCHAR", "timestamp": "VARCHAR",
            "reviewTime": "VARCHAR", "verified": "VARCHAR", "verified_purchase": "VARCHAR", "style": "VARCHAR",
            "reviewerName": "VARCHAR", "vote": "VARCHAR", "helpful_vote": "VARCHAR", "helpful": "VARCHAR"
        }')) as review,
        -- Most bytes of a line are the review's text, which is parsed only if the text or a hash of it is wanted.
        case when $with_text or $min_text_length is not null then try(json_transform(row_text, '{
            "reviewText": "VARCHAR", "text": "VARCHAR", "summary": "VARCHAR", "title": "VARCHAR"
        }')) end as words
    from numbered_lines
),
renamed as (
    select
        line,
        row_text,
        case
            when review is null or not regexp_matches(row_text, '^[ \t]*\{') then 'not a JSON object'
        end as parse_reason,
        id_of(coalesce(review.reviewerID, review.user_id)) as raw_reviewer,
        id_of(coalesce(review.parent_asin, review.asin)) as raw_movie,
        coalesce(review.overall, review.rating) as raw_rating,
        coalesce(
            present_time(review.unixReviewTime), present_time(review.timestamp), present_time(review.reviewTime)
        ) as raw_time,
        try_cast(coalesce(review.verified, review.verified_purchase) as boolean) as verified,
        nullif(nullif(review.style, ''), '{}') as style,
        nullif(review.reviewerName, '') as reviewer_name,
        helpful_votes(review.vote, review.helpful_vote, review.helpful) as vote,
        coalesce(words.reviewText, words.text) as review_text,
        coalesce(words.summary, words.title) as summary
    from parsed
),
identified as (
    select
        * exclude (raw_reviewer, raw_movie),
        rating_of(raw_rating) as rating,
        clear_time(raw_time, $time_pattern) as unix_review_time,
        -- A JSON object or list is no id, but a JSON string that looks like an object or list is an id.
        case
            when raw_reviewer[1] not in ('{', '[')
                or try(coalesce(json_type(row_text, '$.reviewerID'), json_type(row_text, '$.user_id'))) = 'VARCHAR'
            then raw_reviewer
        end as reviewer_id,
        case
            when raw_movie[1] not in ('{', '[')
                or try(coalesce(json_type(row_text, '$.parent_asin'), json_type(row_text, '$.asin'))) = 'VARCHAR'
            then raw_movie
        end as movie_id
    from renamed
),
final as (
    select
        *,
        coalesce(parse_reason, rejection_reason(reviewer_id, movie_id, raw_rating, rating)) as reason
    from identified
)
select
    $file, line, reviewer_id, movie_id, rating, comma_rating(raw_rating), unix_review_time,
    case when unix_review_time is null then present_time(raw_time) end, verified, style,
    reviewer_name, vote,
    case when $with_text then review_text end,
    case when $with_text then summary end,
    number_of_text(review_text, $min_text_length),
    reason,
    case when reason is not null or rating is null then left(row_text, 500) end,
    null
from final
