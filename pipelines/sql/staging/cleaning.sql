-- Creates macros that turn raw text into values; every stage_*.sql uses the macros, so all formats are read alike.
-- Converts a number in digits to a double; a text with an underscore such as '1_000', which DuckDB would convert too,
-- becomes null, because people write such a text by mistake alone.
create or replace macro number_of(raw) as case when not contains(raw, '_') then try_cast(raw as double) end;
-- A text that stands for an absent value becomes null.
create or replace macro present(raw) as case
    when lower(trim(raw)) not in ('', '-', '\n', 'null', 'none', 'na', 'n/a') then trim(raw)
end;
create or replace macro present_time(raw) as case
    when lower(present(raw)) not in ('nan', 'nat', 'undefined') and not regexp_full_match(raw, '[0:/. -]*0000[0:/. tTzZ-]*')
    then present(raw)
end;
-- A time of a review is possible between 2 January 1970 and tomorrow. Times on 1 January 1970 are not possible, because
-- programs write the time 0 for an unknown time.
create or replace macro latest_time() as epoch(current_timestamp)::bigint + 86400;
create or replace macro possible_time(seconds) as case when seconds between 86400 and latest_time() then seconds end;
-- Converts a number to unix seconds by the number's size: a time from 1973 on in seconds, from 1979 on in milliseconds,
-- or from 1973 on in micro- or nanoseconds. Other numbers become null, because they may be dates such as 20170826 (1e7)
-- or 201708261015 (1e11), or positions in a sequence.
create or replace macro unix_seconds(number) as try_cast(floor(case
    when number >= 1e8 and number < 1e11 then number
    when number >= 3e11 and number < 1e14 then number / 1e3
    when number >= 1e14 and number < 1e17 then number / 1e6
    when number >= 1e17 and number < 1e20 then number / 1e9
end) as bigint);
-- Reads a time that can be understood without other times: unix seconds, or an ISO date. A time without an offset is in
-- UTC, because the session's time zone is UTC. If `pattern` is given, every time is read by the pattern, as in
-- `strptime`. `read_times` reads all other times later, when all times of the column are known.
create or replace macro clear_time(raw, pattern) as possible_time(case
    when pattern is null then coalesce(
        unix_seconds(number_of(raw)), try_cast(floor(epoch(try_cast(raw as timestamptz))) as bigint)
    )
    else try_cast(floor(epoch(try_strptime(raw, pattern))) as bigint)
end);
-- Reads a count, which may have a comma or a point between groups of three digits: '1,234' and '1.234' are 1234.
create or replace macro count_of(raw) as case
    when regexp_full_match(raw, '\s*[0-9]{1,9}(?:\.0+)?\s*') then try_cast(raw as double)::integer
    when regexp_full_match(raw, '\s*[0-9]{1,3}(?:[.,][0-9]{3}){1,2}\s*')
    then try_cast(regexp_replace(raw, '[.,]', '', 'g') as integer)
end;
-- Amazon's files of 2018 write helpful votes as '1,234', files of 2023 as 1234, files of 2014 as [helpful, all].
create or replace macro helpful_votes(vote, helpful_vote, helpful) as list_transform(
    [coalesce(vote, helpful_vote, regexp_extract(helpful, '^\[([0-9]+)', 1))],
    lambda votes: count_of(votes))[1];
-- A rating may also have a decimal comma or name its scale: '4,5' is 4.5, and '4/5' and '4 out of 5 stars' are 4. A
-- comma before three digits separates thousands, unless `read_comma_ratings` finds that commas of the file are decimal.
create or replace macro has_thousands(raw) as regexp_full_match(raw, '\s*[1-9][0-9]{0,2}(?:,[0-9]{3})+\s*');
create or replace macro written_rating(raw) as case
    when has_thousands(raw) then number_of(replace(raw, ',', ''))
    when regexp_full_match(raw, '\s*-?[0-9]+,[0-9]+\s*') then number_of(replace(raw, ',', '.'))
    when regexp_full_match(raw, '★{1,10}☆{0,10}') then length(rtrim(raw, '☆'))
    else number_of(replace(nullif(regexp_extract(lower(raw),
        '^\s*([0-9]{1,3}(?:[.,][0-9]{1,2})?)\s*(?:/\s*[0-9]{1,3}|stars?|out of [0-9.]{1,4}(?: stars?)?)\s*$', 1), ''), ',', '.'))
end;
create or replace macro comma_rating(raw) as case
    when contains(raw, ',') and regexp_full_match(raw, '\s*-?[0-9]+(?:,[0-9]+)+\s*') then trim(raw)
end;
create or replace macro rating_of(raw) as coalesce(number_of(raw), written_rating(raw));
-- A hash tells texts apart without keeping the texts; the hash is 0 for a text shorter than `min_text_length`, for an
-- absent text, and if `min_text_length` is null.
create or replace macro number_of_text(words, min_text_length) as case
    when length(words) >= min_text_length then (hash(words) >> 1)::bigint
    else 0
end;
create or replace macro rejection_reason(reviewer_id, movie_id, raw_rating, rating) as case
    when reviewer_id is null then 'no reviewer id'
    when movie_id is null then 'no movie id'
    when rating is null and present(raw_rating) is not null then 'rating is not a number'
    when not isfinite(rating) then 'rating is not finite'
    -- Training could not square a rating above 1e9 in single precision.
    when abs(rating) > 1e9 then 'rating is out of range'
end;
-- Most lines of metadata hold 'Movies & TV', which has no entity, so the character after '&' is tested first.
create or replace macro unescaped(raw) as case
    when contains(raw, '&') and regexp_matches(raw, '&[^\t\n\f <&;]') then unescape_entities(raw)
    else raw
end;
-- Few texts have HTML tags, and replacing takes many times as long as searching, so '<' and '>' are searched first.
create or replace macro without_tags(raw) as case when contains(raw, '<') or contains(raw, '>')
    then regexp_replace(regexp_replace(regexp_replace(raw,
        '(?is)<(script|style)\b.*?(</(script|style)>|$)', ' ', 'g'),
        '(?s)<[a-zA-Z/!][^>]*(>|$)', ' ', 'g'),
        '"\s*/?>\s*$', '')
    else raw
end;
create or replace macro with_single_spaces(raw) as case
    when contains(raw, '  ') or contains(raw, chr(10)) or contains(raw, chr(9)) or contains(raw, chr(13))
        or contains(raw, chr(12))
    then regexp_replace(raw, '\s+', ' ', 'g')
    else raw
end;
-- `trim` decodes a whole text, which for a long text takes longer than all other steps. A text that is all ASCII has as
-- many bytes as characters; after `with_single_spaces`, the only whitespace at the ends of an ASCII text is spaces.
create or replace macro without_blank_ends(raw) as case
    when starts_with(raw, ' ') or ends_with(raw, ' ') or strlen(raw) <> length(raw) then trim(raw)
    else raw
end;
-- Removes HTML tags, also a tag without an end ('<span class="a-size-medium"') and the end of a tag without a start.
-- The steps run over a list, because a macro repeats an argument at each use of the argument: the expressions of nested
-- macros would be planned and computed many times.
create or replace macro plain_texts(parts) as list_filter(list_transform(list_transform(list_transform(list_transform(
    parts,
    lambda part: without_tags(part)),
    lambda part: unescaped(part)),
    lambda part: with_single_spaces(part)),
    lambda part: without_blank_ends(part)),
    lambda part: part <> '');
create or replace macro plain_text(raw) as plain_texts([raw])[1];
-- If a title is a piece of a web page, the title becomes the text of the piece, or else the text of the element <title>
-- or of an attribute such as `alt`. The text of a piece of JavaScript or of a style sheet is not used. The pattern
-- names ranges of letters, because DuckDB prepares patterns anew for each block of a file, and takes 2 ms to prepare
-- `\pL`.
create or replace macro title_in_page(raw) as coalesce(
    nullif(regexp_extract(raw, '(?is)<title[^>]*>([^<]+)</title', 1), ''),
    nullif(regexp_extract(raw, '(?is)<(?:img|meta|a|span|input)\s[^>]*\b(?:alt|title|content)\s*=\s*"([^"<>]*[a-zA-Z\x{C0}-\x{1FFF}\x{2C00}-\x{10FFFF}][^"<>]*)"', 1), '')
);
create or replace macro title_text(raw) as plain_texts([
    case when not regexp_matches(raw, '^\s*var [A-Za-z_]+ ?=|\{[a-z-]+:') then raw end,
    case when contains(raw, '<') then title_in_page(left(raw, 100_000)) end
])[1];
create or replace macro texts_of(raw) as plain_texts(
    case json_type(raw)
        when 'VARCHAR' then [raw ->> '$']
        when 'ARRAY' then case
            when json_type(raw, '$[0]') = 'ARRAY' then json_extract_string(raw, '$[*][*]')
            else json_extract_string(raw, '$[*]')
        end
    end);
create or replace macro text_of(raw) as plain_text(
    case when json_type(raw) in ('OBJECT', 'ARRAY', 'NULL') then null else raw ->> '$' end);
-- The amount of a price without its currency: of '$1,234.50' the amount is '1,234.50', and of a range '$5 - $9' the
-- lower end. A space or an apostrophe between groups of three digits is left out.
create or replace macro currency() as
    '(?:(?:us|au|ca|nz|hk|r|a|c)?[$£€¥₹]|usd|eur|gbp|chf|cad|aud|jpy|inr|sek|nok|dkk|pln|czk|brl|kr\.?|zł)';
create or replace macro amount_of(raw) as regexp_replace(nullif(regexp_extract(
    lower(regexp_replace(raw, '[\x{A0}\x{2009}\x{202F}]', ' ', 'g')),
    '^\s*(?:from\s+)?' || currency() || '?\s*([0-9]{1,3}(?:[ ''’][0-9]{3})+(?:[.,][0-9]{1,2})?|[0-9][0-9.,]*[0-9]|[.,]?[0-9]+)(?:,-|,--|\.-)?\s*'
    || currency() || '?\s*(?:(?:-|–|to)\s*' || currency() || '?\s*[0-9][0-9.,]*\s*' || currency() || '?\s*)?$',
    1), ''), '[ ''’]', '', 'g');
-- An amount such as '1,299' may have a decimal mark or a mark of thousands; the step `read_prices` decides.
create or replace macro has_doubtful_mark(amount) as regexp_full_match(amount, '[1-9][0-9]{0,2}[.,][0-9]{3}');
create or replace macro has_decimal_comma(amount) as
    regexp_full_match(amount, '[0-9]*,(?:[0-9]{1,2}|[0-9]{4,})|[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+|0,[0-9]+');
create or replace macro has_decimal_point(amount) as
    regexp_full_match(amount, '[0-9]*\.(?:[0-9]{1,2}|[0-9]{4,})|[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]+|0\.[0-9]+');
create or replace macro number_with_comma(amount) as number_of(replace(replace(amount, '.', ''), ',', '.'));
create or replace macro number_with_point(amount) as number_of(replace(amount, ',', ''));
-- An amount with several marks has marks of thousands only before exactly three digits.
create or replace macro number_of_amount(amount) as case
    when has_decimal_point(amount) or regexp_full_match(amount, '[0-9]+') then number_with_point(amount)
    when has_decimal_comma(amount) then number_with_comma(amount)
    when has_doubtful_mark(amount) or regexp_full_match(amount, '[1-9][0-9]{0,2}(?:,[0-9]{3})+') then number_with_point(amount)
    when regexp_full_match(amount, '[1-9][0-9]{0,2}(?:\.[0-9]{3})+') then number_with_comma(amount)
end;
-- Most prices are dollars and cents, which one short expression reads several times as fast.
create or replace macro plain_price(raw) as try_cast(
    nullif(regexp_extract(raw, '^\s*\$?([0-9]{1,9}(?:\.[0-9]{1,2})?)\s*$', 1), '') as double
);
create or replace macro price_of(raw) as coalesce(plain_price(raw), case
    when lower(trim(raw)) = 'free' then 0
    when length(raw) <= 60 then list_transform([amount_of(raw)], lambda amount: number_of_amount(amount))[1]
end);
-- A sales rank '#1,234 in Movies & TV (' becomes 1234, and '1234' becomes 1234 too.
create or replace macro rank_of(raw) as list_transform([coalesce(
    nullif(regexp_extract(raw, '([0-9][0-9.,]*)\s+in\s', 1), ''),
    nullif(regexp_extract(raw, '^\s*#?\s*([0-9][0-9.,]*)\s*$', 1), ''))],
    lambda rank: count_of(rank))[1];
create or replace macro year_of(raw) as coalesce(
    try_cast(nullif(list_last(regexp_extract_all(raw, '\(((?:18|19|20)[0-9]{2})\)', 1)), '') as integer));
create or replace macro year_alone(raw) as
    try_cast(nullif(regexp_extract(raw, '^\s*([0-9]{4})(?:\.0+)?\s*$', 1), '') as integer);
create or replace macro year_of_date(raw) as try_cast(nullif(
    regexp_extract(raw, '(?:^|\D)((?:18|19|20)[0-9]{2})(?:\D|$)', 1), '') as integer);
-- Finds the <a> tags of HTML after scripts and styles are removed. The result is null if a tag has an attribute without
-- quotes, or if a comment or an element such as <textarea> makes it doubtful which text is a tag; an HTML parser then
-- reads the HTML.
-- The start of a tag <script> or <style> is searched first, because few pages have scripts or styles, and replacing
-- takes many times as long as searching.
create or replace macro without_scripts(html) as case
    when contains(html, '<s') or contains(html, '<S')
    then regexp_replace(html,
        '(?is)<script(?:\s[^>]*[^>/])?>.*?</script\s*>|<style(?:\s[^>]*[^>/])?>.*?</style\s*>', ' ', 'g')
    else html
end;
create or replace macro plain_html(html) as case
    when regexp_full_match(html, '(?s)(?:[^<]|</?[a-zA-Z][a-zA-Z0-9:-]*'
        || '(?:\s+[a-zA-Z_:@.-][a-zA-Z0-9_:@.-]*(?:\s*=\s*(?:"[^"<]*"|''[^''<]*''))?)*\s*/?>)*')
    and not regexp_matches(html,
        '(?i)<(?:script|style|textarea|title|xmp|iframe|noembed|noframes|noscript|plaintext|svg|math)[\s/>]')
    then html
end;
-- A text of more than 100,000 characters is left to an HTML parser, which reads the first 100,000 characters. The steps
-- run over a list, because a macro repeats its argument.
create or replace macro anchors_of(html) as list_transform(list_transform(
    case when strlen(html) <= 100_000 then [html] end,
    lambda page: without_scripts(page)),
    lambda page: regexp_extract_all(plain_html(page),
        '(?i)<a(?:\s+[a-zA-Z_:@.-][a-zA-Z0-9_:@.-]*(?:\s*=\s*(?:"[^"]*"|''[^'']*''))?)+\s*/?>')
)[1];
-- Reads the addresses of <a> tags; the result is null if a tag has two addresses, or if an address has entities or
-- whitespace that need an HTML parser.
create or replace macro attributes_of(tags) as regexp_extract_all(array_to_string(tags, ''),
    '\s[a-zA-Z_:@.-][a-zA-Z0-9_:@.-]*\s*=\s*(?:"[^"]*"|''[^'']*'')');
create or replace macro plain_addresses(raw) as case
    when len(list_filter(raw, lambda address: not regexp_full_match(replace(address, '&amp;', ''), '[!-%''-~]*'))) = 0
    then list_transform(raw, lambda address: replace(address, '&amp;', '&'))
end;
create or replace macro addresses_of(anchors) as list_transform(
    case when len(list_filter(anchors, lambda anchor: regexp_matches(anchor, '(?is)href.*href'))) = 0
    then [list_transform(
        list_filter(attributes_of(anchors), lambda attribute: regexp_matches(attribute, '(?i)^\shref\s*=')),
        lambda attribute: regexp_extract(attribute, '(?s)["''](.*)["'']$', 1))]
    end,
    lambda raw: plain_addresses(raw)
)[1];
-- The first 1,000 addresses alone are read, because the time to find repeated addresses grows with the square of the
-- number of addresses.
create or replace macro links_of_addresses(addresses) as list_filter(
    list_filter(addresses[1:1000], lambda address, place: list_position(addresses[1:1000], address) = place),
    lambda address: address <> '' and not regexp_matches(address, '(?i)^(?:#|javascript:|mailto:)'));
