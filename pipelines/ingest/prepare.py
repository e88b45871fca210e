"""From raw files to one clean table in a file, for those who want the data and not the engine."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from engine.config.sections import Config
from engine.errors import DataError
from pipelines.ingest.accounting import Accounting, write_rejected
from pipelines.ingest.ingest import ingest
from pipelines.work.database import open_database
from pipelines.work.output import TABLE_SUFFIXES, check_output, write_table


def prepare(
    reviews: Sequence[Path],
    metadata: Sequence[Path],
    output: Path,
    config: Config,
    *,
    rejected: Path | None = None,
) -> Accounting:
    """Writes the prepared table: one row per kept review, with what is known of its movie.

    The columns are `PREPARED_COLUMNS`. In CSV a movie's links stand in one field, between bars, as its
    categories do in either format.

    Args:
        reviews: review files.
        metadata: movie files.
        output: the table, which ends with .parquet or .csv.
        config: of it, the section `ingest` counts: formats and filters.
        rejected: where to write the rows that could not be used, as Parquet, if anywhere.

    Returns:
        What became of every row.

    Raises:
        EngineError: as `ingest`, or the table cannot be written; then whatever stood there before still does.
    """
    output = Path(output)
    for path in filter(None, (output, rejected)):
        check_output(Path(path), TABLE_SUFFIXES)
    # Beside the output, where there is room for the data, unlike perhaps in the system's temporary directory.
    with _workplace(output) as directory:
        database = open_database(
            Path(directory) / "work.duckdb",
            memory_limit=config.ingest.memory_limit,
            threads=config.ingest.threads,
        )
        try:
            accounting = ingest(database, reviews, metadata, config.ingest, keep_text=True)
            rows = database.table("prepared")
            if output.suffix == ".csv":
                rows = database.sql("select * replace (array_to_string(links, ' | ') as links) from prepared")
            write_table(rows, output)
            if rejected:
                write_rejected(database, Path(rejected))
        finally:
            database.close()
    return accounting


def _workplace(output: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix=".engine-prepare-", dir=output.parent)
    except OSError as error:
        raise DataError(f"Cannot write to {output.parent}: {error.strerror}") from error
