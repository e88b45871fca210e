-- Creates macros that take a time such as 'Sat Oct 28 01:52:25 -0700 2017' apart into its date and its time of day.
-- Longer texts are no times; a bound keeps the regular expressions fast.
create or replace temp macro short_time(raw) as case when length(raw) <= 80 then
    -- '20170826t101500' becomes '20170826t10:15:00'.
    regexp_replace(regexp_replace(regexp_replace(lower(raw), '[\x{A0}\x{2009}\x{202F}]', ' ', 'g'),
        '^(\d{8}t\d{2})(\d{2})(\d{2})', '\1:\2:\3'),
        '^(\d{8}t\d{2})(\d{2})(\D|$)', '\1:\2\3')
end;
-- The time of day has an hour, a minute, perhaps a second, perhaps 'am' or 'pm', and perhaps a time zone.
create or replace temp macro clock_pattern() as '(?:^|[t ,])(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,:]\d+)?)?'
    || '\s*(?:([ap])\.?\s?m\.?)?\s*(z|utc|gmt|(?:gmt|utc)?[+-]\d{2}:?\d{2}|[+-]\d{2}|[ecmp][sd]t)?(?:[\s,)]|$)';
create or replace temp macro date_text(raw) as
    trim(regexp_replace(short_time(raw), clock_pattern(), ' '), ' ,');
create or replace temp macro clock_of(raw) as
    regexp_extract(short_time(raw), clock_pattern(), ['hour', 'minute', 'second', 'half', 'zone']);
-- Seconds east of UTC; a zone of the United States such as 'pdt' counts as its offset.
create or replace temp macro offset_of(zone) as case
    when regexp_matches(zone, '[+-]') then
        (case when contains(zone, '-') then -1 else 1 end) * (
            try_cast(regexp_extract(zone, '[+-](\d{2})', 1) as integer) * 3600
            + coalesce(try_cast(regexp_extract(zone, '[+-]\d{2}:?(\d{2})', 1) as integer), 0) * 60
        )
    when zone in ('est', 'cst', 'mst', 'pst') then -3600 * (list_position(['est', 'cst', 'mst', 'pst'], zone) + 4)
    when zone in ('edt', 'cdt', 'mdt', 'pdt') then -3600 * (list_position(['edt', 'cdt', 'mdt', 'pdt'], zone) + 3)
    else 0
end;
-- Seconds since midnight UTC; 0 without a time of day, and null for a time of day such as 25:00.
create or replace temp macro seconds_of_clock(clock) as case
    when clock.hour = '' then 0
    when try_cast(clock.hour as integer) <= 24 and try_cast(clock.minute as integer) < 60 then
        (case
            when clock.half <> '' and try_cast(clock.hour as integer) = 12 then 0
            else try_cast(clock.hour as integer)
        end + case when clock.half = 'p' and try_cast(clock.hour as integer) <= 12 then 12 else 0 end) * 3600
        + try_cast(clock.minute as integer) * 60
        + coalesce(try_cast(clock.second as integer), 0)
        - offset_of(clock.zone)
end;
create or replace temp macro possible_pattern(digits, pattern) as
    possible_time(epoch(try_strptime(digits, pattern))::bigint) is not null;
-- Excel numbers days from 30 December 1899 on; 25569 is 1 January 1970.
create or replace temp macro excel_seconds(number) as try_cast(round((number - 25569) * 86400) as bigint);
create or replace temp macro digits_of(raw) as try_cast(number_of(raw) as bigint)::varchar;
