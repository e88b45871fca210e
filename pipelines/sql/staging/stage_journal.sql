-- One row per review of a journal, in `staged_reviews`.
-- $file: the number of the source file.
insert into staged_reviews (file, line, reviewer_id, movie_id, rating, unix_review_time, text_number, reason, row_text)
with final as (
    select line, id_of(reviewer_id) as reviewer_id, id_of(movie_id) as movie_id, rating, time from journal_lines
)
select
    $file, line, reviewer_id, movie_id, rating, time, 0,
    rejection_reason(reviewer_id, movie_id, null, rating),
    left(concat_ws(',', reviewer_id, movie_id, rating), 500)
from final
