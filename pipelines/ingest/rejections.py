"""The rows that could not be used: written to a ledger, and explained where nothing else is left."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import DataError, SourceError
from pipelines.reading.sources import Source
from pipelines.work.database import run
from pipelines.work.output import write_table

if TYPE_CHECKING:
    import duckdb

_EXPECTED = (
    "expected the fields reviewerID or user_id, asin or parent_asin, and overall or rating "
    "(Amazon's reviews of 2014, 2018 or 2023)"
)
_LENGTH_SHOWN = 100


def write_rejected(database: duckdb.DuckDBPyConnection, path: Path, *, before: Path | None = None) -> int:
    """Writes the rejected rows of all files to a Parquet ledger: kind, file, line, reason, text.

    Args:
        database: where `ingest` has run.
        path: the ledger; written whole or not at all.
        before: a ledger whose rows go before; a row that is there already is not repeated.

    Returns:
        The number of rows in it.
    """
    rows = database.sql(
        "select 'review' as kind, * from rejected union all select 'metadata', * from rejected_metadata "
        "order by kind desc, file, line"
    )
    if before is not None:
        rows = database.read_parquet(str(before)).union(rows).distinct().order("kind desc, file, line")
    write_table(rows, path)
    return int(rows.count("*").fetchall()[0][0])


def require_complete(source: Source, num_rows: int, *, allow_truncated: bool) -> None:
    """Refuses a file whose gzip data ended too early, unless that was allowed.

    Args:
        source: the file.
        num_rows: the rows that could be read of it.
        allow_truncated: be content with those.

    Raises:
        SourceError: it was not.
    """
    if not allow_truncated:
        raise SourceError(
            f"{source.path} ends too early: {num_rows:,} complete rows could be read before its gzip data "
            "breaks off; fetch it again, or use those rows with --allow-truncated.",
            path=source.path,
        )


def require_usable(database: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Refuses files of which no row can be used, saying why the most cannot.

    Raises:
        DataError: there is no row, or all are rejected.
    """
    reasons = run(database, "staging/common_rejections").fetchall()
    if not reasons:
        raise DataError(f"No reviews in {_names(sources)}: nothing but a header or blank lines.")
    if any(reason is None for reason, *_ in reasons):
        return
    reason, count, file, line, row_text = reasons[0]
    total = sum(num_rows for _, num_rows, *_ in reasons)
    source = sources[file]
    found = _found_fields(row_text) if source.layout == "json" else ""
    raise DataError(
        f"None of the {total:,} rows of {_names(sources)} can be used: {count:,} of them because of "
        f"'{reason}', first in {source.path}, line {line:,}: {_shown(row_text)}{found}."
    )


def require_usable_metadata(database: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Refuses metadata of which no line can be used.

    Raises:
        DataError: all lines are rejected.
    """
    [(total, num_rejected)] = database.execute(
        "select count(*), count(reason) from metadata_lines"
    ).fetchall()
    if num_rejected < total or total == 0:
        return
    [(reason, line, row_text)] = database.execute(
        "select reason, line, row_text from metadata_lines order by file, line limit 1"
    ).fetchall()
    raise DataError(
        f"None of the {total:,} lines of {_names(sources)} describes a movie; '{reason}' in line {line:,}: "
        f"{_shown(row_text)}; expected Amazon's metadata (asin or parent_asin), MovieLens' movies or a table."
    )


def _found_fields(row_text: str) -> str:
    """What was expected and what is there instead, where it is an object."""
    try:
        row = json.loads(row_text)
    except ValueError:
        # It may have been cut short.
        names = re.findall(r'"(\w+)"\s*:', row_text) if row_text.startswith("{") else []
    else:
        names = list(row) if isinstance(row, dict) else []
    found = f"found {', '.join(names[:12])}" if names else "found no JSON object"
    return f"; {_EXPECTED}, {found}"


def _names(sources: Sequence[Source]) -> str:
    first = str(sources[0].path)
    return first if len(sources) == 1 else f"{first} and {len(sources) - 1} more"


def _shown(text: str | None) -> str:
    flat = " ".join((text or "").replace("\0", "").split())
    return repr(flat if len(flat) <= _LENGTH_SHOWN else f"{flat[: _LENGTH_SHOWN - 3]}...")
