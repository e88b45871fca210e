-- One row per different text of the kept reviews, and an empty table that later gets the sentiment of each text.
create or replace table text_sentiments (text_number ubigint, sentiment float);
create or replace table distinct_texts as
with final as (
    select hash(review_text) as text_number, any_value(review_text) as review_text
    from reviews
    where trim(review_text) <> ''
    group by hash(review_text)
)
select * from final
