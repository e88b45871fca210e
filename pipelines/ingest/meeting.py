"""Warns if hardly any movie id in the reviews occurs in the metadata, and says how the ids differ."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pipelines.work.database import count_rows, run

if TYPE_CHECKING:
    import duckdb

_LEAST_SHARE = 0.05
"""If metadata describes less than this share (0 to 1) of the reviewed movies, `warn_if_ids_differ` logs a
warning."""

_log = logging.getLogger(__name__)


def warn_if_ids_differ(database: duckdb.DuckDBPyConnection) -> None:
    """Warns if metadata describes hardly any reviewed movie, and names the reason if a reason is found.

    The tables `reviewed_movies` and `metadata_lines` must be filled. If the reviews and the metadata write
    the same movie ids in two ways, such as with and without leading zeros, the warning names this difference.
    """
    num_reviewed = count_rows(database, "reviewed_movies")
    num_lines = count_rows(database, "(from metadata_lines where reason is null)")
    described = "(from reviewed_movies semi join (from metadata_lines where reason is null) using (movie_id))"
    num_described = count_rows(database, described)
    if not num_lines or num_described >= _LEAST_SHARE * num_reviewed:
        return
    few = f"only {num_described:,}" if num_described else "none"
    ways = run(database, "staging/shared_spellings").fetchall()
    if ways:
        [(reason, num_alike, pairs), *_] = ways
        ours, theirs = (" and ".join(repr(pair[side]) for pair in pairs) for side in (0, 1))
        _log.warning(
            "The metadata describes %s of the %s movies that were reviewed, because the ids are written in "
            "two ways: the reviews have %s, the metadata has %s. Apart from %s, %s ids are the same; write "
            "the ids alike in the files, or name other columns of ids with --columns movie=NAME.",
            few,
            f"{num_reviewed:,}",
            ours,
            theirs,
            reason,
            f"{num_alike:,}",
        )
        return
    ours, theirs = (_examples(database, rows) for rows in ("reviewed_movies", "metadata_lines"))
    _log.warning(
        "The metadata describes %s of the %s movies that were reviewed: the reviews have ids such as %s, the "
        "metadata has ids such as %s. Name other columns of ids with --columns movie=NAME, or give the "
        "metadata of these movies.",
        few,
        f"{num_reviewed:,}",
        ours,
        theirs,
    )


def _examples(database: duckdb.DuckDBPyConnection, table: str) -> str:
    """Returns a text that names the first two movie ids of the database table `table`, in sorted order."""
    ids = database.table(table).filter("movie_id is not null").select("movie_id").distinct()
    return " and ".join(repr(movie_id) for (movie_id,) in ids.order("movie_id").limit(2).fetchall())
