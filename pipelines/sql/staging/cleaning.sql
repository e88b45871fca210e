-- Functions that turn raw text into values; every stage_*.sql uses them, so that all formats are read alike.
-- Seconds, milliseconds, microseconds or nanoseconds, told apart by size (1e11 seconds is the year 5138).
create or replace temp macro seconds_of(number) as case
    when abs(number) < 1e11 then try_cast(floor(number) as bigint)
    when abs(number) < 1e14 then try_cast(floor(number / 1e3) as bigint)
    when abs(number) < 1e17 then try_cast(floor(number / 1e6) as bigint)
    when abs(number) < 1e20 then try_cast(floor(number / 1e9) as bigint)
end;
create or replace temp macro unix_seconds(raw) as coalesce(
    seconds_of(try_cast(raw as double)),
    -- A time without an offset is UTC, as the session's time zone is.
    try_cast(floor(epoch(try_cast(raw as timestamptz))) as bigint),
    try_cast(floor(epoch(try_strptime(raw, ['%m %d, %Y', '%d-%b-%Y', '%B %d, %Y', '%b %d, %Y', '%m/%d/%Y']))) as bigint)
);
-- 2018 has '1,234', 2023 a number, and 2014 the pair [helpful, all].
create or replace temp macro helpful_votes(vote, helpful_vote, helpful) as try_cast(replace(
    coalesce(vote, helpful_vote, regexp_extract(helpful, '^\[([0-9]+)', 1)), ',', ''
) as integer);
-- Tells texts apart without keeping them; absent and short ones are alike.
create or replace temp macro number_of_text(words, min_text_length) as case
    when length(words) >= min_text_length then (hash(words) >> 1)::bigint
    else 0
end;
create or replace temp macro rejection_reason(reviewer_id, movie_id, raw_rating, raw_time, unix_review_time) as case
    when trim(coalesce(reviewer_id, '')) = '' then 'no reviewer id'
    when trim(coalesce(movie_id, '')) = '' then 'no movie id'
    when raw_rating is not null and try_cast(raw_rating as double) is null then 'rating is not a number'
    when not isfinite(try_cast(raw_rating as double)) then 'rating is not finite'
    -- What training, in single precision, could not square.
    when abs(try_cast(raw_rating as double)) > 1e9 then 'rating is out of range'
    when raw_time is not null and unix_review_time is null then 'time cannot be read'
end;
-- What follows decides, for 'Movies & TV' stands in most lines of metadata, and holds no entity.
create or replace temp macro unescaped(raw) as case
    when contains(raw, '&') and regexp_matches(raw, '&[^\t\n\f <&;]') then unescape_entities(raw)
    else raw
end;
-- Looked for first, as few texts have any, and replacing takes many times as long as looking.
create or replace temp macro without_tags(raw) as case when contains(raw, '<') or contains(raw, '>')
    then regexp_replace(regexp_replace(regexp_replace(raw,
        '(?is)<(script|style)\b.*?(</(script|style)>|$)', ' ', 'g'),
        '(?s)<[a-zA-Z/!][^>]*(>|$)', ' ', 'g'),
        '"\s*/?>\s*$', '')
    else raw
end;
create or replace temp macro with_single_spaces(raw) as case
    when contains(raw, '  ') or contains(raw, chr(10)) or contains(raw, chr(9)) or contains(raw, chr(13))
        or contains(raw, chr(12))
    then regexp_replace(raw, '\s+', ' ', 'g')
    else raw
end;
-- Cutting blanks off decodes a text from one end to the other, which for a long one takes longer than all the rest. What
-- is all ASCII has as many bytes as characters, and no blanks but these.
create or replace temp macro without_blank_ends(raw) as case
    when starts_with(raw, ' ') or ends_with(raw, ' ') or strlen(raw) <> length(raw) then trim(raw)
    else raw
end;
-- Tags go, also one that never ends, as in '<span class="a-size-medium"'; so does the end of one that never began.
-- Step by step over a list, as a macro repeats its argument wherever it names it, and within each other they would be
-- planned, and worked out, many times over.
create or replace temp macro plain_texts(parts) as list_filter(list_transform(list_transform(list_transform(list_transform(
    parts,
    lambda part: without_tags(part)),
    lambda part: unescaped(part)),
    lambda part: with_single_spaces(part)),
    lambda part: without_blank_ends(part)),
    lambda part: part <> '');
create or replace temp macro plain_text(raw) as plain_texts([raw])[1];
-- A title that is a piece of a page's script or style sheet is none.
create or replace temp macro title_text(raw) as case
    when not regexp_matches(raw, '^\s*var [A-Za-z_]+ ?=|\{[a-z-]+:') then plain_text(raw)
end;
create or replace temp macro texts_of(raw) as plain_texts(
    case json_type(raw)
        when 'VARCHAR' then [raw ->> '$']
        when 'ARRAY' then case
            when json_type(raw, '$[0]') = 'ARRAY' then json_extract_string(raw, '$[*][*]')
            else json_extract_string(raw, '$[*]')
        end
    end);
create or replace temp macro text_of(raw) as plain_text(
    case when json_type(raw) in ('OBJECT', 'ARRAY', 'NULL') then null else raw ->> '$' end);
-- '$1,234.50' is 1234.5, and a range such as '$5 - $9' counts from its lower end; anything else is no price.
create or replace temp macro price_of(raw) as try_cast(replace(nullif(regexp_extract(raw,
    '(?i)^\s*(?:from\s+)?(?:us)?[$£€]?\s*([0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+)\s*(?:-\s*[$£€]?\s*[0-9][0-9,.]*\s*)?$', 1), ''),
    ',', '') as double);
-- '#1,234 in Movies & TV (' is 1234, and so is '1234'.
create or replace temp macro rank_of(raw) as try_cast(replace(coalesce(
    nullif(regexp_extract(raw, '([0-9][0-9,]*)\s+in\s', 1), ''),
    nullif(regexp_extract(raw, '^\D{0,2}([0-9][0-9,]*)\s*$', 1), '')), ',', '') as integer);
create or replace temp macro year_of(raw) as coalesce(
    try_cast(nullif(list_last(regexp_extract_all(raw, '\(((?:18|19|20)[0-9]{2})\)', 1)), '') as integer));
create or replace temp macro year_of_date(raw) as try_cast(nullif(
    regexp_extract(raw, '(?:^|\D)((?:18|19|20)[0-9]{2})(?:\D|$)', 1), '') as integer);
-- The anchors of HTML in which every tag is written out plainly, with its attributes in quotes; null where one is not, or
-- a comment or an element whose content is no HTML would make it doubtful what is a tag. Scripts and styles are left out.
create or replace temp macro without_scripts(html) as regexp_replace(html,
    '(?is)<script(?:\s[^>]*[^>/])?>.*?</script\s*>|<style(?:\s[^>]*[^>/])?>.*?</style\s*>', ' ', 'g');
create or replace temp macro plain_html(html) as case
    when regexp_full_match(html, '(?s)(?:[^<]|</?[a-zA-Z][a-zA-Z0-9:-]*'
        || '(?:\s+[a-zA-Z_:@.-][a-zA-Z0-9_:@.-]*(?:\s*=\s*(?:"[^"<]*"|''[^''<]*''))?)*\s*/?>)*')
    and not regexp_matches(html,
        '(?i)<(?:script|style|textarea|title|xmp|iframe|noembed|noframes|noscript|plaintext|svg|math)[\s/>]')
    then html
end;
create or replace temp macro anchors_of(html) as regexp_extract_all(plain_html(without_scripts(html)),
    '(?i)<a(?:\s+[a-zA-Z_:@.-][a-zA-Z0-9_:@.-]*(?:\s*=\s*(?:"[^"]*"|''[^'']*''))?)+\s*/?>');
-- Where the anchors lead to; null where one is named twice, or has entities or blanks that only a parser reads right.
create or replace temp macro attributes_of(tags) as regexp_extract_all(array_to_string(tags, ''),
    '\s[a-zA-Z_:@.-][a-zA-Z0-9_:@.-]*\s*=\s*(?:"[^"]*"|''[^'']*'')');
create or replace temp macro plain_addresses(raw) as case
    when len(list_filter(raw, lambda address: not regexp_full_match(replace(address, '&amp;', ''), '[!-%''-~]*'))) = 0
    then list_transform(raw, lambda address: replace(address, '&amp;', '&'))
end;
create or replace temp macro addresses_of(anchors) as case
    when len(list_filter(anchors, lambda anchor: regexp_matches(anchor, '(?is)href.*href'))) = 0
    then plain_addresses(list_transform(
        list_filter(attributes_of(anchors), lambda attribute: regexp_matches(attribute, '(?i)^\shref\s*=')),
        lambda attribute: regexp_extract(attribute, '(?s)["''](.*)["'']$', 1)))
end;
create or replace temp macro links_of_addresses(addresses) as list_filter(
    list_filter(addresses, lambda address, place: list_position(addresses, address) = place),
    lambda address: address <> '' and not regexp_matches(address, '(?i)^(?:#|javascript:|mailto:)'));
