-- One row per reason why usable reviews of a file lose their time, with the first such time as an example.
-- $file: the number of the source file; $earliest, $latest: the range of the possible times.
with lost as (
    select
        line,
        raw_time,
        case
            when unix_review_time is null then 'cannot be read'
            when unix_review_time < $earliest then 'too early'
            when unix_review_time > $latest then 'in the future'
        end as reason
    from staged_reviews
    where file = $file and raw_time is not null and staged_reviews.reason is null
),
final as (
    select reason, count(*) as num_rows, min_by(raw_time, line) as example, min(line) as line
    from lost
    where reason is not null
    group by reason
)
select * from final order by num_rows desc, reason
