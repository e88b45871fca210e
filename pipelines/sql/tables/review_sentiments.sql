-- One row per kept review, ordered by reviewer and time: the sentiment, or null if the review's text has none.
with final as (
    select
        reviews.reviewer_row,
        coalesce(reviews.unix_review_time, 0) as time,
        reviews.file,
        reviews.line,
        text_sentiments.sentiment
    from reviews
    left join text_sentiments on text_sentiments.text_number = hash(reviews.review_text)
)
select sentiment from final order by reviewer_row, time, file, line
