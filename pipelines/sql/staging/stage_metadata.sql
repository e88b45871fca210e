-- One row per metadata line about a reviewed movie, with cleaned values; returns the numbers of the lines.
-- Prices in dollars and cents are read. The step `read_prices` reads all other prices, once all files are staged.
-- $describe_all: whether to take the lines about movies without reviews too.
-- $path: a file of lines that are not blank; $size: the bytes of the file; $first_line: the number of the first line;
-- $lines: the line numbers of all lines if not consecutive, else null; $file: the number of the source file.
insert into staged_metadata
with parsed as (
    select
        row_number() over () as place,
        *,
        id_of(coalesce(parent_asin, asin)) as movie_id
    from read_json(
        $path,
        format = 'newline_delimited',
        ignore_errors = true,
        maximum_object_size = $size,
        columns = {
            asin: 'VARCHAR', parent_asin: 'VARCHAR', reviewerID: 'VARCHAR', user_id: 'VARCHAR',
            title: 'VARCHAR', category: 'JSON', categories: 'JSON', main_cat: 'VARCHAR', main_category: 'VARCHAR',
            description: 'JSON', brand: 'JSON', store: 'VARCHAR', price: 'VARCHAR', rank: 'JSON', salesRank: 'JSON',
            date: 'VARCHAR', year: 'VARCHAR', links: 'JSON', details: 'JSON',
            also_buy: 'JSON', also_view: 'JSON', bought_together: 'JSON', related: 'JSON'
        }
    )
),
reviewed as (
    select
        *,
        coalesce(($lines::bigint[])[place], $first_line + place - 1) as line,
        json_transform(related, '{"also_bought": "JSON", "also_viewed": "JSON", "buy_after_viewing": "JSON"}') as linked
    from parsed
    where movie_id is not null and coalesce(reviewerID, user_id) is null
        -- `read_whole_ids` removes the ending .0 later if all ids of the file are whole numbers.
        and ($describe_all or without_zero(movie_id) in (select without_zero(movie_id) from reviewed_movies))
),
-- These values take long to compute, and are used more than once below.
listed as (
    select
        *,
        texts_of(reviewed.description) as descriptions,
        texts_of(reviewed.rank)[1] as first_rank,
        plain_price(reviewed.price) as dollars
    from reviewed
),
renamed as (
    select
        line,
        movie_id,
        title_text(listed.title) as title,
        texts_of(coalesce(listed.category, listed.categories)) as categories,
        -- Some main categories are an image, whose alternative text is the name of the category.
        coalesce(
            unescaped(nullif(regexp_extract(coalesce(listed.main_cat, listed.main_category), '<img[^>]*alt="([^"]+)"', 1), '')),
            plain_text(coalesce(listed.main_cat, listed.main_category))
        ) as main_cat,
        nullif(array_to_string(descriptions, chr(10)), '') as description,
        coalesce(text_of(listed.brand), plain_text(listed.store)) as brand,
        dollars as price,
        case when dollars is null then nullif(trim(left(listed.price, 100)), '') end as raw_price,
        list_filter(list_transform([
            first_rank,
            listed.rank ->> '$',
            json_extract_string(listed.salesRank, '$.*')[1],
            json_extract_string(listed.details, '$."Best Sellers Rank".*')[1]
        ], lambda raw: rank_of(raw)), lambda rank: rank is not null)[1] as rank,
        nullif(trim(coalesce(
            nullif(trim(listed.date), ''), listed.details ->> '$."Release date"', listed.details ->> '$."Date First Available"'
        )), '') as date,
        year_alone(listed.year) as given_year,
        texts_of(listed.links) as links,
        -- Details are HTML, or a JSON object whose values may be HTML; details without a link are of no use.
        case when contains(listed.details, 'href') or contains(listed.details, 'HREF') then case
            when json_type(listed.details) = 'VARCHAR' then listed.details ->> '$'
            else listed.details::varchar
        end end as details,
        -- A value may be given but unreadable, such as a broken tag as a title.
        nullif(trim(listed.title), '') is not null as title_given,
        coalesce(first_rank, listed.rank ->> '$', '') not in ('', '[]') as rank_given,
        nullif(texts_of(coalesce(listed.also_buy, linked.also_bought, listed.bought_together)), []) as also_buy,
        nullif(texts_of(coalesce(listed.also_view, linked.also_viewed, linked.buy_after_viewing)), []) as also_view
    from listed
),
scraped as (
    select *, anchors_of(details) as anchors from renamed
),
addressed as (
    select *, addresses_of(anchors) as addresses from scraped
),
final as (
    select
        * exclude (given_year, categories, title_given, rank_given, anchors, addresses, links, details),
        coalesce(nullif(links_of_addresses(addresses), []), nullif(links, [])) as links,
        -- Details whose links SQL cannot read are kept, so that an HTML parser reads the links later.
        case when addresses is null then details end as details,
        list_concat(
            case when title_given and title is null then ['title'] else [] end,
            case when rank_given and rank is null then ['rank'] else [] end
        ) as unreadable,
        coalesce(given_year, year_of(title), year_of_date(date)) as year,
        -- A category may occur in several category paths; only the first occurrence is kept.
        nullif(array_to_string(
            list_filter(categories, lambda name, place: list_position(categories, name) = place), ' | '
        ), '') as category
    from addressed
)
select
    $file, line, movie_id, title, category, main_cat, description, brand, price, raw_price, rank, year, date, links,
    details, also_buy, also_view, unreadable
from final
returning line
