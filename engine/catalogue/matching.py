"""Finds the movies that meet an SQL condition, one piece of the movie table at a time, in limited time."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from engine.arrays import Rows
from engine.catalogue.filters import shown_condition
from engine.errors import FilterError

if TYPE_CHECKING:
    import duckdb

TIME_LIMIT = 5.0
"""The largest number of seconds that the check of all movies against a condition may take."""
LONGEST_TEXT = 10_000
"""The number of characters of a text value that a condition sees; the rest of a longer text is cut off."""
_PIECE_SECONDS = 0.1
"""The number of seconds that DuckDB should take to check the movies in one piece of the table `movies`; a
small piece takes little memory."""
_MOST_GROWTH = 16
"""DuckDB checks the rows of the table `movies` in pieces, one piece after another. A piece holds at most
`_MOST_GROWTH` times as many movies as the piece before."""
_TEXTS = frozenset({"movie_id", "title", "category", "main_cat", "description", "brand", "date"})


def rows_where(
    connection: duckdb.DuckDBPyConnection,
    condition: str,
    columns: frozenset[str],
    among: Rows | None = None,
) -> Rows:
    """Returns the rows of the table `movies` that meet an SQL condition: int64, ascending.

    If the array `among`, int64, ascending, is given, only the movies whose rows are in `among` are checked.

    The caller must have passed the condition to `check_filter`; `columns` is what `check_filter` returned. A
    condition without a text column is checked on all movies in one query. For a condition with a text column,
    the function divides the table `movies` into pieces, and checks the condition on one piece after the
    other. The first piece of the table `movies` holds one movie. After each piece, the function chooses the
    number of movies in the next piece: DuckDB should take about `_PIECE_SECONDS` to check the next piece.

    The function checks the condition on small pieces of the table `movies`, because DuckDB needs little
    memory and little time for a small piece. DuckDB's setting `memory_limit` alone does not limit the memory
    well, because the setting does not count the texts that SQL functions in the condition produce. The time
    limit alone does not end a slow check soon, because DuckDB may check 2,048 movies before DuckDB notices
    that the time limit has passed.

    Raises:
        FilterError: the condition takes longer than `TIME_LIMIT`.
        duckdb.Error: the condition fails, for example because it compares values of types that cannot be
            compared.
    """
    if among is None:
        [(end,)] = connection.execute("select coalesce(max(movie_row) + 1, 0) from movies").fetchall()
    else:
        end = len(among)
    selected = ", ".join(["movie_row", *map(_cut, sorted(columns))])
    found: list[Rows] = [np.zeros(0, dtype=np.int64)]
    start, size = 0, 1 if columns & _TEXTS else end
    # DuckDB prepares the condition anew for each piece of the table; the time for a preparation is estimated
    # by the time of the fastest piece.
    preparation = math.inf
    with _time_limit(connection, condition) as deadline:
        while start < end:
            began = time.monotonic()
            if began > deadline:
                raise _too_slow(condition)
            # The SQL `limit` does not shorten a piece, but keeps DuckDB from running the condition before
            # selecting the rows of the piece. The line break ends an SQL comment at the end of the condition.
            piece = f"movie_row >= {start} and movie_row < {start + size}"
            if among is not None:
                piece = f"movie_row in ({', '.join(map(str, among[start : start + size].tolist()))})"
            rows = connection.execute(
                f"select movie_row from (select {selected} from movies where {piece} limit {size}) "
                f"where ({condition}\n) order by movie_row"
            ).fetchnumpy()["movie_row"]
            found.append(np.asarray(rows, dtype=np.int64))
            took = time.monotonic() - began
            preparation = min(preparation, took)
            growth = _PIECE_SECONDS / max(took - preparation, 1e-6)
            start, size = start + size, max(1, int(size * min(_MOST_GROWTH, growth)))
    return np.concatenate(found)


def _cut(column: str) -> str:
    """Returns SQL that selects a column; the SQL cuts a text to `LONGEST_TEXT` characters."""
    if column not in _TEXTS:
        return column
    cut = f"case when strlen({column}) > {LONGEST_TEXT} then left({column}, {LONGEST_TEXT}) else {column} end"
    return f"{cut} as {column}"


@contextmanager
def _time_limit(connection: duckdb.DuckDBPyConnection, condition: str) -> Iterator[float]:
    """Interrupts a connection after `TIME_LIMIT` seconds; yields the `time.monotonic` of the deadline."""
    import duckdb

    timer = threading.Timer(TIME_LIMIT, connection.interrupt)
    timer.daemon = True
    deadline = time.monotonic() + TIME_LIMIT
    timer.start()
    try:
        yield deadline
    except duckdb.InterruptException as error:
        if time.monotonic() < deadline:
            raise
        raise _too_slow(condition) from error
    finally:
        timer.cancel()


def _too_slow(condition: str) -> FilterError:
    return FilterError(
        f"--where {shown_condition(condition)} takes longer than the {TIME_LIMIT:g} seconds that a condition "
        "may take; write a simpler condition."
    )
