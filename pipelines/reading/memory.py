"""How much memory reading takes: what its files call for, within what is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.config.sections import IngestConfig
from engine.config.values import size_in_bytes
from pipelines.reading.blocks import BLOCK_SIZE
from pipelines.reading.sources import Source
from pipelines.reading.staging import num_staging_threads

if TYPE_CHECKING:
    import duckdb

LEAST_FOR_READING = 500_000_000
"""Bytes for the database where files are small: less makes it spill, more only fills its cache."""
_UNPACKED = {"gzip": 5.0, "parquet": 8.0, "plain": 1.0}
"""Bytes of rows in a byte of a file, about."""
_STAGED = {"json": 0.25, "delimited": 1.0, "parquet": 1.0}
"""Bytes in the database of a byte of rows: most of JSON are words that are not kept."""
_BYTES_A_BLOCK_BYTE = 75
"""What cleaning a block of metadata takes at most, and as much again, by the bytes of the block."""
_SMALLEST_BLOCK = 1 << 20


def memory_for_reading(sources: Sequence[Source], config: IngestConfig) -> str:
    """What the database may hold while it reads some files, such as "500MB": `ingest.memory_limit` at most.

    DuckDB keeps in memory what it has written as long as its limit allows, though reading seldom looks at it
    again. So a limit that follows the files costs no time, and leaves memory to others.

    Args:
        sources: every file that is read.
        config: holds the limit.
    """
    wanted = sum(source.size * _UNPACKED[_packing(source)] * _STAGED[source.layout] for source in sources)
    num_bytes = min(max(LEAST_FOR_READING, int(wanted)), size_in_bytes(config.memory_limit))
    return f"{num_bytes // 1000}KB"


def block_size_for(config: IngestConfig) -> int:
    """Bytes of text in a block, of which each of the staging threads works on one within the limit."""
    limit, threads = size_in_bytes(config.memory_limit), num_staging_threads(config.threads)
    return min(max(limit // (_BYTES_A_BLOCK_BYTE * threads), _SMALLEST_BLOCK), BLOCK_SIZE)


@contextmanager
def limited_memory(database: duckdb.DuckDBPyConnection, memory_limit: str) -> Iterator[None]:
    """Holds the database to so much memory within the context, unless it has less, and as before after it."""
    [(before,)] = database.execute("select current_setting('memory_limit')").fetchall()
    if size_in_bytes(memory_limit) < size_in_bytes(before):
        database.execute(f"set memory_limit = '{memory_limit}'")
    try:
        yield
    finally:
        database.execute(f"set memory_limit = '{before}'")


def _packing(source: Source) -> str:
    if source.layout == "parquet":
        return "parquet"
    return "gzip" if source.compressed else "plain"
