-- One row per rejected line of the metadata files: the file, the line number, the reason, and the start of the line.
create or replace table rejected_metadata as
select source_files.path as file, metadata_lines.line, metadata_lines.reason, metadata_lines.row_text as text
from metadata_lines
join source_files on source_files.kind = 'metadata' and source_files.file = metadata_lines.file
where metadata_lines.reason is not null
order by metadata_lines.file, metadata_lines.line
