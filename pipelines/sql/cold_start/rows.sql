-- One row per cold movie with the columns that an SQL condition may name; the columns of reviews are null.
create or replace temp view cold_rows as
select * exclude (review_number) from candidate_rows where false
union all by name
select * exclude (also_buy, also_view) from cold_movies
