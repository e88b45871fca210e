-- One row per line of a metadata file that `stage_metadata` inserted in this transaction.
-- $file: the number of the source file.
insert into metadata_lines
select $file, line, movie_id, null, null from staged_metadata
where file = $file
