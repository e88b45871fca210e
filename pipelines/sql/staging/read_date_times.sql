-- Reads the dates among the times of a part of a file that no staging statement read. A time may turn out impossible.
-- $file: the number of the source file; $first, $last: the first and the last line to read.
-- Parts keep the memory small that DuckDB needs for an update.
update staged_reviews
set unix_review_time = date_days.day * 86400 + seconds_of_clock(clock_of(staged_reviews.raw_time))
from date_days
where staged_reviews.file = $file
    and staged_reviews.line between $first and $last
    and staged_reviews.raw_time is not null
    and number_of(staged_reviews.raw_time) is null
    and date_text(staged_reviews.raw_time) = date_days.text
