"""Writes cleaned reviews to a file as one table, for users who want the data without a recommender."""

from __future__ import annotations

from pathlib import Path

from engine.config.sections import Config
from pipelines.ingest.accounting import Accounting, write_rejected
from pipelines.ingest.ingest import ingest
from pipelines.inputs.named import Sources, inputs_of
from pipelines.work.database import work_database
from pipelines.work.output import TABLE_SUFFIXES, check_output, write_table
from pipelines.work.runners import check_place, runner_for


def prepare(
    reviews: Sources,
    metadata: Sources,
    output: Path | str,
    config: Config | None = None,
    *,
    rejected: Path | str | None = None,
    on: str | None = None,
    address: str | None = None,
) -> Accounting:
    """Writes a table with a row for each kept review, joined with the columns of the reviewed movie.

    The table has the columns `PREPARED_COLUMNS`. The path `output` must end with .parquet or .csv. Vertical
    bars separate the names in the column `category`. The column `links` holds web addresses: a list of
    addresses in a Parquet file, and addresses between vertical bars in a CSV file. The rejected rows are
    written to the Parquet file `rejected`, if this path is given. Returns the counts of kept and dropped
    rows.

    If `on` is "ray", workers of Ray read several files at the same time; the table in `output` is the same as
    without Ray. The workers run on the Ray cluster at `address`, or on this machine if `address` is None.

    Raises:
        EngineError: `ingest` fails; or the table cannot be written. An older file at `output` stays unchanged
            after an error.
    """
    output, config = Path(output), config or Config()
    check_output(output, TABLE_SUFFIXES)
    check_place(on, address, 0)
    if rejected is not None:
        check_output(Path(rejected), TABLE_SUFFIXES)
    # The system's temporary folder may be too small for the data, so the work database is beside the output
    # file.
    with (
        inputs_of(reviews, metadata) as inputs,
        runner_for(on, address, threads=1) as runner,
        work_database(config.ingest, output.parent) as database,
    ):
        accounting = ingest(database, *inputs, config.ingest, keep_text=True, runner=runner)
        rows = database.table("prepared")
        if output.suffix.lower() == ".csv":
            rows = database.sql("select * replace (array_to_string(links, ' | ') as links) from prepared")
        write_table(rows, output)
        if rejected:
            write_rejected(database, Path(rejected))
    return accounting
