-- One row per reason for rejection, the most common reason first, with the first rejected row as an example. A null
-- reason counts the rows that were not rejected.
select
    reason,
    count(*) as num_rows,
    min_by(file, file * 1000000000000 + line) as file,
    min_by(line, file * 1000000000000 + line) as line,
    min_by(row_text, file * 1000000000000 + line) as row_text
from staged_reviews
group by reason
order by num_rows desc, reason
