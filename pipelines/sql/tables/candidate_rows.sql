-- One row per latest review, with the columns that an SQL condition may name; counts and averages cover all rows.
create or replace view candidate_rows as
with reviewer_counts as (
    select reviewer_number, count(*)::integer as reviewer_count from latest_reviews group by reviewer_number
),
movie_counts as (
    select movie_number, count(*)::integer as movie_count, avg(rating) as average_rating
    from latest_reviews
    group by movie_number
),
final as (
    select
        latest_reviews.review_number,
        staged_reviews.rating,
        make_timestamp(staged_reviews.unix_review_time * 1000000) as review_time,
        staged_reviews.reviewer_id,
        staged_reviews.movie_id,
        staged_reviews.style,
        staged_reviews.reviewer_name,
        staged_reviews.review_text,
        staged_reviews.summary,
        staged_reviews.unix_review_time,
        staged_reviews.vote,
        staged_reviews.verified,
        described_movies.* exclude (movie_id, details, also_buy, also_view),
        reviewer_counts.reviewer_count,
        movie_counts.movie_count,
        movie_counts.average_rating
    from latest_reviews
    join staged_reviews on staged_reviews.rowid = latest_reviews.review_number
    join reviewer_counts on reviewer_counts.reviewer_number = latest_reviews.reviewer_number
    join movie_counts on movie_counts.movie_number = latest_reviews.movie_number
    left join described_movies on described_movies.movie_id = staged_reviews.movie_id
)
select * from final
