-- One row per review of a journal.
-- $path: the file of JSON lines that `read_journal` wrote.
create or replace temp table journal_lines as
select * from read_json(
    $path,
    format = 'newline_delimited',
    columns = {
        line: 'bigint', reviewer_id: 'varchar', movie_id: 'varchar', rating: 'double', time: 'bigint', kind: 'varchar'
    }
)
