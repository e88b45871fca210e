-- Creates macros that turn ids, and the typed columns of Parquet files, into texts; every stage_*.sql uses the macros.
-- An id loses the whitespace at both ends: the characters that Python's `strip` removes, and the byte order mark. An id
-- that is only a word for a missing value becomes null, since all rows with such an id would be one reviewer. Nearly all
-- ids need neither step: an ASCII id of at least five characters that begins and ends with a visible character, and a
-- short id of digits. The slow steps run over a list, because a macro repeats its argument.
create or replace macro id_of(raw) as case
    when strlen(raw) >= 5 and strlen(raw) = length(raw) and raw >= '!' and raw[-1] >= '!' then raw
    when regexp_full_match(raw, '(?s)[!-~].{3,}[!-~]|[a-zA-Z]{0,2}[0-9]+') then raw
    else list_filter(
        list_transform([raw], lambda id: regexp_replace(
            id, '(?s)^[\s\x0b\x1c-\x1f\x85\p{Z}\x{feff}]+|[\s\x0b\x1c-\x1f\x85\p{Z}\x{feff}]+$', '', 'g'
        )),
        lambda id: id not in
            ('', 'nan', 'NaN', 'NAN', 'null', 'NULL', 'None', '<NA>', 'N/A', '#N/A', '\N', 'NaT')
    )[1]
end;
create or replace macro without_zero(id) as case when ends_with(id, '.0') then left(id, -2) else id end;
-- A number that is whole becomes an integer, so that the id 15.0 is the id 15; a number that is none becomes null.
create or replace macro text_of_float(number) as case
    when isnan(number) then null
    when number = trunc(number) and abs(number) < 1e18 then number::bigint::varchar
    else number::varchar
end;
create or replace macro text_of_decimal(number) as regexp_replace(number::varchar, '\.0+$', '');
create or replace macro text_of_boolean(value) as value::integer::varchar;
-- Impala, Avro and old versions of Spark write texts as bytes.
create or replace macro text_of_bytes(bytes) as coalesce(try(decode(bytes)), hex(bytes));
create or replace macro json_of(value) as to_json(value)::varchar;
-- A rating may be a verdict in words, as in reviews of games.
create or replace macro verdict_of(raw) as case lower(trim(raw))
    when 'true' then 1 when 'yes' then 1 when 'recommended' then 1
    when 'false' then 0 when 'no' then 0 when 'not recommended' then 0
end;
-- Helpful votes are written as a count, or as '3/4' or '[3, 4]': the votes for helpful, of all votes.
create or replace macro helpful_of(raw) as count_of(case
    when contains(raw, '/') or starts_with(raw, '[') then regexp_extract(raw, '^\[?\s*([0-9]+)', 1)
    else raw
end);
