-- The tables and columns that only ingestion needs, gone.
alter table if exists reviewers drop column if exists reviewer_number;
alter table if exists movies drop column if exists movie_number;
drop view if exists candidate_rows;
drop view if exists cold_rows;
drop table if exists cold_candidates;
drop table if exists core_reviews;
drop table if exists latest_reviews;
drop table if exists usable_reviews;
drop table if exists reviewer_numbers;
drop table if exists movie_numbers;
drop table if exists wanted_movies;
drop table if exists scraped_links;
drop table if exists described_movies;
drop table if exists reviewed_movies;
drop table if exists staged_metadata;
drop table if exists metadata_lines;
drop table if exists staged_reviews;
drop table if exists source_files;
