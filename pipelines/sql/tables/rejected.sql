-- One row per rejected row of the review files: the file, the line number, the reason, and the start of the line.
create or replace table rejected as
select source_files.path as file, staged_reviews.line, staged_reviews.reason, staged_reviews.row_text as text
from staged_reviews
join source_files on source_files.kind = 'review' and source_files.file = staged_reviews.file
where staged_reviews.reason is not null
order by staged_reviews.file, staged_reviews.line
