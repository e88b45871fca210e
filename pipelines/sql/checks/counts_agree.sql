-- One row per reviewer or movie whose column reviewer_count or movie_count differs from the number of reviews.
with counted as (
    select 'reviewer' as kind, reviewers.reviewer_id as id, any_value(reviewers.reviewer_count) as stated, count(reviews.movie_row) as counted
    from reviewers left join reviews using (reviewer_row) group by reviewers.reviewer_id
    union all
    select 'movie', movies.movie_id, any_value(movies.movie_count), count(reviews.reviewer_row)
    from movies left join reviews using (movie_row) group by movies.movie_id
)
select * from counted where stated is distinct from counted order by kind, id
