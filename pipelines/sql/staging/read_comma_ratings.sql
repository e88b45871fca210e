-- Reads ratings such as '4,125' with a decimal comma if other ratings of the file show that commas are decimal: a comma
-- stands before fewer or more than three digits, or no rating without a comma is above 10.
with files as (
    select
        file,
        count(*) filter (raw_rating is not null and not has_thousands(raw_rating)) as num_decimal,
        coalesce(max(rating) filter (raw_rating is null) <= 10, false) as is_small
    from staged_reviews
    group by file
)
update staged_reviews
set rating = number_of(replace(raw_rating, ',', '.'))
from files
where staged_reviews.file = files.file
    and (files.num_decimal > 0 or files.is_small)
    and has_thousands(raw_rating)
