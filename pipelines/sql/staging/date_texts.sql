-- One row per date among the times of a file that no staging statement read: the date without its time of day.
-- Since 1970 there are 20,000 days, so more than 200,000 texts are no dates and would only fill the memory.
-- $file: the number of the source file.
select date_text(raw_time) as text, count(*) as num_rows, min(raw_time) as example
from staged_reviews
where file = $file and raw_time is not null and number_of(raw_time) is null
group by text
order by num_rows desc, text
limit 200000
