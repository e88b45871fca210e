"""Writes the cleaned reviews as one table in a file, for those who want the data and not the engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.config.sections import Config
from pipelines.ingest.accounting import Accounting, write_rejected
from pipelines.ingest.ingest import ingest
from pipelines.work.database import work_database
from pipelines.work.output import TABLE_SUFFIXES, check_output, write_table


def prepare(
    reviews: Sequence[Path],
    metadata: Sequence[Path],
    output: Path,
    config: Config,
    *,
    rejected: Path | None = None,
) -> Accounting:
    """Writes the prepared table: one row per kept review, with the columns of its movie.

    The columns are `PREPARED_COLUMNS`. In CSV a movie's links are one field, separated by bars, as its
    categories are in both formats. The output ends with .parquet or .csv. The rejected rows are written as
    Parquet, if a path is given for them. Returns the account of every row.

    Raises:
        EngineError: as `ingest`, or the table cannot be written; an older file at `output` then stays.
    """
    output = Path(output)
    for path in filter(None, (output, rejected)):
        check_output(Path(path), TABLE_SUFFIXES)
    # The system's temporary folder may lack room for the data, so the database lies beside the output.
    with work_database(config.ingest, output.parent) as database:
        accounting = ingest(database, reviews, metadata, config.ingest, keep_text=True)
        rows = database.table("prepared")
        if output.suffix == ".csv":
            rows = database.sql("select * replace (array_to_string(links, ' | ') as links) from prepared")
        write_table(rows, output)
        if rejected:
            write_rejected(database, Path(rejected))
    return accounting
