-- Reads the prices that are not written as dollars and cents. Prices such as '1,299' and '1.299' are read with a decimal
-- comma if more prices of the file have a decimal comma than a decimal point. If no price of the file has a decimal mark,
-- a price such as '1.299' is 1299, because the point then separates thousands.
with amounts as (
    select
        rowid as place, file, price, raw_price,
        case when length(raw_price) <= 60 then amount_of(raw_price) end as amount
    from staged_metadata
    where price is not null or raw_price is not null
),
files as (
    select
        file,
        count(*) filter (has_decimal_comma(amount)) as num_commas,
        count(*) filter (has_decimal_point(amount) or price <> floor(price)) as num_points
    from amounts
    group by file
),
final as (
    select
        amounts.place,
        case
            when has_doubtful_mark(amount) and (
                num_commas > num_points or (num_commas + num_points = 0 and contains(amount, '.'))
            ) then number_with_comma(amount)
            else price_of(raw_price)
        end as price
    from amounts
    join files using (file)
    where raw_price is not null
)
update staged_metadata
set price = final.price
from final
where staged_metadata.rowid = final.place
