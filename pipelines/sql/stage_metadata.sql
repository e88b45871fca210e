-- One row per line of a block of metadata that describes a reviewed movie, cleaned.
-- $describe_all: or any other movie.
-- $text: the lines, JSON objects; $first_line: the number of the first; $lines: the numbers of all, where they do
-- not follow each other, else null; $file: which file.
insert into staged_metadata
with block as (
    select string_split($text, chr(10)) as texts
),
numbered_lines as (
    select
        unnest(texts) as row_text,
        unnest(coalesce($lines::bigint[], range($first_line, $first_line + len(texts)))) as line
    from block
),
reviewed as (
    select numbered_lines.line, numbered_lines.row_text, metadata_lines.movie_id
    from numbered_lines
    join metadata_lines using (line)
    where metadata_lines.file = $file
        and metadata_lines.reason is null
        and ($describe_all or metadata_lines.movie_id in (select movie_id from reviewed_movies))
),
parsed as (
    select
        line,
        movie_id,
        json_transform(row_text, '{
            "title": "VARCHAR", "category": "JSON", "categories": "JSON", "main_cat": "VARCHAR",
            "main_category": "VARCHAR", "description": "JSON", "brand": "JSON", "store": "VARCHAR", "price": "VARCHAR",
            "rank": "JSON", "salesRank": "JSON", "date": "VARCHAR", "year": "VARCHAR", "links": "JSON",
            "details": "JSON", "also_buy": "JSON", "also_view": "JSON", "bought_together": "JSON",
            "related": {"also_bought": "JSON", "also_viewed": "JSON", "buy_after_viewing": "JSON"}
        }') as movie
    from reviewed
),
-- What costs much and is named more than once below.
listed as (
    select
        *,
        texts_of(movie.description) as descriptions,
        texts_of(movie.rank)[1] as first_rank
    from parsed
),
renamed as (
    select
        line,
        movie_id,
        title_text(movie.title) as title,
        texts_of(coalesce(movie.category, movie.categories)) as categories,
        -- Some are a picture whose alternative text is the name.
        coalesce(
            unescaped(nullif(regexp_extract(coalesce(movie.main_cat, movie.main_category), '<img[^>]*alt="([^"]+)"', 1), '')),
            plain_text(coalesce(movie.main_cat, movie.main_category))
        ) as main_cat,
        nullif(array_to_string(descriptions, chr(10)), '') as description,
        coalesce(text_of(movie.brand), plain_text(movie.store)) as brand,
        price_of(movie.price) as price,
        coalesce(
            rank_of(first_rank),
            rank_of(movie.rank ->> '$'),
            rank_of(json_extract_string(movie.salesRank, '$.*')[1]),
            rank_of(json_extract_string(movie.details, '$."Best Sellers Rank".*')[1])
        ) as rank,
        nullif(trim(coalesce(
            nullif(trim(movie.date), ''), movie.details ->> '$."Release date"', movie.details ->> '$."Date First Available"'
        )), '') as date,
        try_cast(movie.year as integer) as given_year,
        texts_of(movie.links) as links,
        -- HTML itself, or an object whose values may be HTML.
        case when json_type(movie.details) = 'VARCHAR' then movie.details ->> '$' else movie.details::varchar end as details,
        -- What says something that is no title, price or number, such as a torn tag or a style sheet.
        nullif(trim(movie.title), '') is not null as title_given,
        nullif(trim(movie.price), '') is not null as price_given,
        coalesce(first_rank, movie.rank ->> '$', '') not in ('', '[]') as rank_given,
        texts_of(coalesce(movie.also_buy, movie.related.also_bought, movie.bought_together)) as also_buy,
        texts_of(coalesce(movie.also_view, movie.related.also_viewed, movie.related.buy_after_viewing)) as also_view
    from listed
),
final as (
    select
        * exclude (given_year, categories, title_given, price_given, rank_given),
        list_concat(
            case when title_given and title is null then ['title'] else [] end,
            case when price_given and price is null then ['price'] else [] end,
            case when rank_given and rank is null then ['rank'] else [] end
        ) as unreadable,
        coalesce(given_year, year_of(title), year_of_date(date)) as year,
        -- Of a name that stands in several paths of categories, the first stays.
        nullif(array_to_string(
            list_filter(categories, lambda name, place: list_position(categories, name) = place), ' | '
        ), '') as category
    from renamed
)
select
    $file, line, movie_id, title, category, main_cat, description, brand, price, rank, year, date, links,
    case when contains(details, 'href') then details end, also_buy, also_view, unreadable
from final
