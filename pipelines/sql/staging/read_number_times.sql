-- Reads the numbers among the times of a part of a file that no staging statement read. A time may turn out impossible.
-- $file: the number of the source file; $first, $last: the first and the last line to read;
-- $numbers: the meaning of a number: unix, excel, places, or a pattern of digits as in `strptime`.
update staged_reviews
set unix_review_time = case
    when $numbers = 'unix' then coalesce(
        unix_seconds(number_of(raw_time)), try_cast(floor(number_of(raw_time)) as bigint)
    )
    when $numbers = 'excel' then excel_seconds(number_of(raw_time))
    when $numbers = 'places' then try_cast(floor(number_of(raw_time)) as bigint)
    else epoch(try_strptime(digits_of(raw_time), $numbers))::bigint
end
where file = $file and line between $first and $last and number_of(raw_time) is not null
