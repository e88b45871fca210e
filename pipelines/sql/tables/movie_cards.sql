-- One row per movie, ordered by movie_row: the columns to show in a recommendation list beside the movie's score.
-- A movie without a title is named by the first sentence or words of its description, or by its brand and category. The
-- column `title_source` tells which of them names the movie, and is null if the metadata has a title.
with texts as (
    select
        *,
        nullif(trim(replace(left(description, 2000), chr(10), ' ')), '') as words,
        list_last(string_split(coalesce(category, main_cat), ' | ')) as last_category
    from movies
),
-- An id of Amazon has ten characters: a B and nine letters or digits, or a book's number, which ends with a check
-- digit.
shaped as (
    select
        movie_id,
        regexp_full_match(movie_id, 'B[0-9A-Z]{9}') as is_item,
        regexp_full_match(movie_id, '[0-9]{9}[0-9X]') as is_book
    from movies
),
checked as (
    select
        movie_id,
        is_item,
        is_item or is_book as is_amazons,
        is_book and list_sum(list_transform(range(1, 11), lambda place:
            (11 - place) * coalesce(try_cast(movie_id[place] as integer), 10))) % 11 = 0 as is_checked
    from shaped
),
-- Ids of another shop may look like Amazon's ids by chance. So the ids count as Amazon's if nine in ten ids look like
-- Amazon's, and if one in ten ids begins with a B or nine in ten ids have a correct check digit.
shop as (
    select avg(is_amazons::integer) >= 0.9 and (avg(is_item::integer) >= 0.1 or avg(is_checked::integer) >= 0.9) as is_amazon
    from checked
),
named as (
    select
        *,
        case
            when not regexp_matches(words, '\pL') then null
            when length(words) <= 72 then words
            else coalesce(
                nullif(regexp_extract(words, '^(.{17,68}?\pL{3}[.!?])\s', 1), ''),
                coalesce(nullif(regexp_extract(words, '^(.{20,71})\s', 1), ''), left(words, 71)) || '…'
            )
        end as first_words,
        nullif(concat_ws(': ', brand, last_category), '') as brand_and_category
    from texts
),
final as (
    select
        movie_row,
        coalesce(title, first_words, brand_and_category) as title,
        case
            when title is not null then null
            when first_words is not null then 'description'
            when brand is not null then 'brand'
            when brand_and_category is not null then 'category'
        end as title_source,
        category,
        main_cat,
        brand,
        case
            when length(words) <= 300 then words
            else coalesce(nullif(regexp_extract(words, '^(.{150,299})\s', 1), ''), left(words, 299)) || '…'
        end as description,
        case when isfinite(price::double) then price::double end as price,
        year,
        case when isfinite(average_rating::double) then average_rating::double end as average_rating,
        movie_count,
        case when is_amazon and is_amazons then 'https://www.amazon.com/dp/' || movie_id else links[1] end as link,
        links
    from named
    join checked using (movie_id)
    cross join shop
)
select * exclude (movie_row) from final
order by movie_row
