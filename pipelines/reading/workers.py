"""Reads files in workers, which may be on other machines, and collects the rows in this process's database.

A worker reads some files into the staging tables of a separate database, and sends the rows of the staging
tables back as Parquet. The result does not depend on the number of workers, because the order of rows in
staging tables does not matter.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.config.sections import IngestConfig
from engine.errors import SourceError
from pipelines.reading.columns import Columns
from pipelines.reading.sources import Source
from pipelines.reading.staging import memory_for_reading, scratch_folder
from pipelines.work import cluster
from pipelines.work.database import add_functions, literal_path, run, work_database
from pipelines.work.runners import Runner, ThisProcess

if TYPE_CHECKING:
    import duckdb

_BYTES_A_CALL = 64 << 20
"""The largest total size in bytes of the files that one call reads together; a larger file has a call to
itself."""
_CALLS_A_WORKER = 4
"""The least number of calls for each worker, if there are enough files; with fewer calls, some workers would
wait for other workers at the end."""

_log = logging.getLogger(__name__)


class FileToStage(NamedTuple):
    """Holds a file, the number of the file, and the columns that were found in the file."""

    number: int
    """The position of the file among all review files, or among all metadata files, counted from 0."""
    source: Source
    columns: Columns | None = None


@dataclass(frozen=True)
class Staged:
    """Holds the rows that a worker has read into staging tables, and the messages that were logged."""

    tables: Mapping[str, bytes]
    """The rows of each staging table, as the bytes of a Parquet file."""
    truncated: Sequence[int]
    """The field `FileToStage.number` of each file whose compressed data ended too early."""
    messages: Sequence[tuple[str, int, str]]
    """The name of the logger, the logging level and the text of each message that the worker has logged."""


def may_stage_apart(
    files: Sequence[FileToStage], runner: Runner
) -> tuple[list[FileToStage], list[FileToStage]]:
    """Divides files into the files that workers read, and the files that this process reads.

    Workers on other machines cannot reach feedback journals, and files that this process wrote to its own
    disk, such as the copied content of a pipe. This process reads the files that workers cannot reach. If
    workers can reach fewer than two files, this process reads all files.
    """
    if isinstance(runner, ThisProcess):
        return [], list(files)
    apart = [file for file in files if _is_shared(file.source)]
    if len(apart) < 2:
        return [], list(files)
    return apart, [file for file in files if not _is_shared(file.source)]


def stage_apart(
    database: duckdb.DuckDBPyConnection,
    runner: Runner,
    function: Callable[[Any, Sequence[FileToStage]], Staged],
    settings: Any,
    files: Sequence[FileToStage],
    on_read: Callable[[int, int], object] | None,
) -> list[int]:
    """Lets workers read files with a given function; inserts the returned rows into the staging tables.

    Returns the field `number` of each file in `files` whose compressed data ended too early.

    Raises:
        EngineError: a worker cannot read a file, or workers were lost too often.
    """
    groups = list(_groups(files, runner.num_workers * _CALLS_A_WORKER))
    shared = runner.share(settings)
    truncated: list[int] = []
    messages: dict[int, Sequence[tuple[str, int, str]]] = {}
    for position, staged in runner.run(function, ((shared, group) for group in groups)):
        for table, content in staged.tables.items():
            insert_parquet(database, table, content)
        truncated += staged.truncated
        messages[position] = staged.messages
        if on_read is not None:
            on_read(sum(file.source.size for file in groups[position]), 0)
    for _, told in sorted(messages.items()):
        for name, level, text in told:
            logging.getLogger(name).log(level, "%s", text)
    return truncated


def stage_here(
    files: Sequence[FileToStage],
    config: IngestConfig,
    tables: Sequence[str],
    stage: Callable[[duckdb.DuckDBPyConnection, IngestConfig], Sequence[int]],
) -> Staged:
    """Reads files in a worker: makes a database, lets `stage` fill it, and returns the rows of `tables`.

    The function `stage` fills the staging tables, and returns the field `number` of each file whose
    compressed data ended too early.

    Raises:
        SourceError: a file is not on the machine of the worker.
    """
    for file in files:
        if file.source.remote is None and not file.source.file.exists():
            raise SourceError(
                f"{file.source.path} is not on the machine of a worker; put it into a folder that all "
                "machines share, or into remote storage.",
                path=file.source.path,
            )
    memory = memory_for_reading([file.source for file in files], config)
    config = replace(config, threads=1, memory_limit=memory)
    with work_database(config, cluster.scratch_folder()) as database, _told() as messages:
        add_functions(database)
        run(database, "staging/create_staging")
        truncated = stage(database, config)
        contents = {table: table_as_parquet(database, table) for table in tables}
    return Staged(contents, truncated, messages)


def table_as_parquet(database: duckdb.DuckDBPyConnection, table: str) -> bytes:
    """Returns the rows of a database table as the bytes of a Parquet file."""
    with scratch_folder(database) as folder:
        path = folder / "rows.parquet"
        database.table(table).write_parquet(str(path))
        return path.read_bytes()


def insert_parquet(database: duckdb.DuckDBPyConnection, table: str, content: bytes) -> None:
    """Inserts the rows of a Parquet file, as `table_as_parquet` returns it, into a database table."""
    with scratch_folder(database) as folder:
        path = folder / "rows.parquet"
        path.write_bytes(content)
        database.execute(f"insert into {table} from read_parquet($1)", [literal_path(path)])


def _groups(files: Sequence[FileToStage], number: int) -> Iterator[list[FileToStage]]:
    """Divides files into groups, each of which a worker reads in one call.

    A group is one large file or several small files. The total size of several small files in a group is at
    most a `number`-th of the size of all files, and at most _BYTES_A_CALL bytes.
    """
    most = min(_BYTES_A_CALL, sum(file.source.size for file in files) // number)
    group: list[FileToStage] = []
    num_bytes = 0
    for file in files:
        size = file.source.size
        if group and num_bytes + size > most:
            yield group
            group, num_bytes = [], 0
        group.append(file._replace(source=replace(file.source, file=file.source.file.absolute())))
        num_bytes += size
    if group:
        yield group


def _is_shared(source: Source) -> bool:
    """Tells whether other machines may be able to read a file under the path that the user gave."""
    return source.remote is not None or (source.layout != "journal" and source.path == source.file)


@contextmanager
def _told() -> Iterator[list[tuple[str, int, str]]]:
    """Yields a list that collects all messages which this program logs during the `with` statement."""
    messages: list[tuple[str, int, str]] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append((record.name, record.levelno, record.getMessage()))

    logger, collector = logging.getLogger("pipelines"), Collector()
    level = logger.level
    logger.addHandler(collector)
    logger.setLevel(logging.INFO)
    try:
        yield messages
    finally:
        logger.removeHandler(collector)
        logger.setLevel(level)
