-- Reads prices such as '1,299' and '1.299' as prices with a decimal comma, where the other prices of the file speak for
-- a comma: most have a decimal comma, or no price has a decimal mark, so that a point is a mark of thousands.
with files as (
    select
        file,
        count(*) filter (has_decimal_comma(raw_price)) as num_commas,
        count(*) filter (has_decimal_point(raw_price) or (raw_price is null and price <> floor(price))) as num_points
    from staged_metadata
    group by file
)
update staged_metadata
set price = number_with_comma(raw_price)
from files
where staged_metadata.file = files.file and has_doubtful_mark(raw_price)
    and (files.num_commas > files.num_points or (files.num_commas + files.num_points = 0 and contains(raw_price, '.')))
