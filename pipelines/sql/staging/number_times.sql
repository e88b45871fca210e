-- One row: counts the numbers among the times of a file that no staging statement read, by what the number may mean;
-- only `num_left` counts zeros, which stand for no time. `num_clear` counts the times that a staging statement read.
-- $file: the number of the source file.
with times as (
    select
        unix_review_time,
        number_of(raw_time) as number,
        digits_of(raw_time) as digits
    from staged_reviews
    where file = $file
),
final as (
    select
        count(unix_review_time) as num_clear,
        count(number) as num_left,
        count(*) filter (number <> 0) as num_numbers,
        count(*) filter (length(digits) = 14 and possible_pattern(digits, '%Y%m%d%H%M%S')) as seconds,
        count(*) filter (length(digits) = 12 and possible_pattern(digits, '%Y%m%d%H%M')) as minutes,
        count(*) filter (length(digits) = 8 and possible_pattern(digits, '%Y%m%d')) as days,
        count(*) filter (length(digits) = 6 and possible_pattern(digits, '%Y%m')) as months,
        count(*) filter (length(digits) = 4 and possible_pattern(digits, '%Y')) as years,
        count(*) filter (possible_time(excel_seconds(number)) is not null) as excel,
        count(*) filter (number > 0 and number < 1e8) as places
    from times
)
select * from final
