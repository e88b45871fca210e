"""Raises an error if all rows of the review or metadata files were rejected; warns if most reviews were."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.errors import DataError
from pipelines.reading.sources import Source
from pipelines.work.database import run

if TYPE_CHECKING:
    import duckdb

_LENGTH_SHOWN = 100
"""The largest number of characters of a rejected row that a message shows."""
_MOST = 0.5
"""If more than this share of all rows is rejected, a message says why the rows were rejected."""
_NAME_RATINGS = (
    "name the column of the ratings with --columns rating=NAME, or read the reviews as views with "
    "--columns rating="
)
_ADVICE = {
    "not a JSON object": "write one JSON object a line",
    "wrong number of fields": "give each row as many fields as the header has, and put a field that holds "
    "the separator in double quotes",
    "no reviewer id": "name the column of the reviewers with --columns reviewer=NAME",
    "no movie id": "name the column of the movies with --columns movie=NAME",
    "no rating": _NAME_RATINGS,
    "rating is not a number": _NAME_RATINGS,
}
"""What users can do about rejected rows; the keys are the reasons of rejection."""

_log = logging.getLogger(__name__)


def require_usable(database: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Checks that at least one row of the review files can be used, and warns if most rows were rejected.

    Raises:
        DataError: the review files have no rows; or all rows are rejected, and the message names the most
            common reason.
    """
    num_rejected, num_rows, why = _rejections(database, sources)
    if not num_rows:
        raise DataError(f"No reviews in {_names(sources)}: nothing but a header or blank lines.")
    if num_rejected == num_rows:
        raise DataError(f"None of the {num_rows:,} rows of {_names(sources)} can be used: {why}.")
    if num_rejected > _MOST * num_rows:
        _log.warning(
            "%s of the %s rows of %s were rejected: %s.",
            f"{num_rejected:,}",
            f"{num_rows:,}",
            _names(sources),
            why,
        )


@contextmanager
def blaming_rejections(database: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> Iterator[None]:
    """Turns a DataError in a `with` block into an error about rejected rows, if most rows were rejected.

    Raises:
        DataError: the `with` block raised a DataError. If most rows were rejected, the function raises a new
            DataError instead, whose message names the most common reason of rejection.
    """
    try:
        yield
    except DataError as error:
        num_rejected, num_rows, why = _rejections(database, sources)
        if num_rejected <= _MOST * num_rows:
            raise
        raise DataError(
            f"Too few reviews are left, because {num_rejected:,} of the {num_rows:,} rows of "
            f"{_names(sources)} were rejected: {why}."
        ) from error


def require_usable_metadata(database: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Checks that at least one metadata line can be used; metadata files without lines are no error.

    Raises:
        DataError: all lines of the metadata files are rejected.
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


def _rejections(database: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> tuple[int, int, str]:
    """Returns the number of rejected rows, the number of all rows, and the most common reason as text."""
    counted = run(database, "staging/common_rejections").fetchall()
    num_rows = sum(count for _, count, *_ in counted)
    rejected = [row for row in counted if row[0] is not None]
    if not rejected:
        return 0, num_rows, ""
    reason, count, file, line, row_text = rejected[0]
    advice = f"; {_ADVICE[reason]}" if reason in _ADVICE else ""
    why = (
        f"{count:,} of them because of '{reason}', first in {sources[file].path}, line {line:,}: "
        f"{_shown(row_text)}{advice}"
    )
    return sum(row[1] for row in rejected), num_rows, why


def _names(sources: Sequence[Source]) -> str:
    first = str(sources[0].path)
    return first if len(sources) == 1 else f"{first} and {len(sources) - 1} more"


def _shown(text: str | None) -> str:
    flat = " ".join((text or "").replace("\0", "").split())
    return repr(flat if len(flat) <= _LENGTH_SHOWN else f"{flat[: _LENGTH_SHOWN - 3]}...")
