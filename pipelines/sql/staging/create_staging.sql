-- Creates the empty staging tables: one row per line of the review and metadata files, with our column names.
-- `implicit_reviews` has a row for each review of a journal that is no rating.
-- `raw_time` holds a time that only the whole column of times explains; the step `read_times` reads it.
-- `raw_rating` holds a number with a mark that may be a decimal mark or a mark of thousands; `raw_price` holds a price
-- that is not in dollars and cents, which the step `read_prices` reads.
create or replace table staged_reviews (
    file integer, line bigint, reviewer_id varchar, movie_id varchar, rating double, raw_rating varchar, unix_review_time bigint,
    raw_time varchar, verified boolean, style varchar, reviewer_name varchar, vote integer, review_text varchar, summary varchar,
    text_number bigint, reason varchar, row_text varchar, movie_fields varchar[]
);
create or replace table staged_metadata (
    file integer, line bigint, movie_id varchar, title varchar, category varchar, main_cat varchar,
    description varchar, brand varchar, price double, raw_price varchar, rank integer, year integer, date varchar,
    links varchar[], details varchar, also_buy varchar[], also_view varchar[], unreadable varchar[]
);
create or replace table metadata_lines (file integer, line bigint, movie_id varchar, reason varchar, row_text varchar);
create or replace table implicit_reviews (file integer, line bigint, kind varchar);
create or replace table scraped_links (movie_id varchar, links varchar[]);
create or replace table cold_reviews (reviewer_row integer, movie_id varchar, rating double, time bigint);
