"""Which movies a condition in SQL picks out: the one place at query time where DuckDB is used.

The database is opened when the first condition comes: read-only, cut off from files, network and settings.
The condition is checked before it runs (`engine/catalogue/filters.py`), so either guard alone would do.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.errors import ArtifactCorruptError

if TYPE_CHECKING:
    import duckdb


CATALOG_COLUMNS = (
    "movie_id",
    "title",
    "category",
    "main_cat",
    "description",
    "brand",
    "price",
    "rank",
    "year",
    "date",
    "movie_count",
    "average_rating",
)
"""The columns that a condition may name."""

_MOST_TITLES = 500
_LEAST_LIKENESS = 0.85
_PLAIN = "trim(regexp_replace(lower(strip_accents({})), '[^\\p{{L}}\\p{{N}}]+', ' ', 'g'))"
_TITLES = f"""
with titles as (
    select movie_row, title, {_PLAIN.format("title")} as plain, movie_count
    from movies
    where title is not null
)
"""
_TITLES_WITH_WORDS = f"""{_TITLES}
select movie_row, title
from titles
where list_bool_and(list_transform(string_split($words, ' '), lambda word: contains(plain, word)))
order by length(plain), movie_count desc, movie_row
limit $most
"""
_TITLES_ALIKE = f"""{_TITLES},
alike as (
    select
        *,
        greatest(
            jaro_winkler_similarity(plain, {_PLAIN.format("$text")}),
            jaro_winkler_similarity(regexp_replace(plain, ' [0-9]{{4}}$', ''), $words)
        ) as likeness
    from titles
)
select movie_row, title
from alike
where likeness >= $likeness
order by likeness desc, movie_count desc, movie_row
limit $most
"""

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "lock_configuration": "true",
    "memory_limit": "1GB",
    "threads": "1",
}


class Catalog:
    """The movies of an index as a table that conditions are asked of. Safe to use from many threads.

    Args:
        path: the database that `pipelines/export/catalogue.py` wrote; the first condition opens it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def matching_rows(self, condition: str) -> NDArray[np.int64]:
        """Finds the movies for which a condition is true.

        Args:
            condition: SQL over `CATALOG_COLUMNS`, such as `price < 10 and title ilike '%noir%'`. Where a
                column is unknown for a movie, a comparison with it is not true.

        Returns:
            Their rows, int64 [num_matching], ascending.

        Raises:
            FilterError: the condition does not parse, names no column, or is more than a condition.
            ArtifactCorruptError: the database cannot be opened.
        """
        import duckdb

        from engine.catalogue.filters import check_filter, filter_failed, require_condition

        connection = self._open().cursor()
        try:
            check_filter(connection, condition, CATALOG_COLUMNS)
            require_condition(connection, condition, "movies")
            # The line break closes a comment with which the condition may end.
            found = connection.execute(
                f"select movie_row from movies where ({condition}\n) order by movie_row"
            ).fetchnumpy()
        except duckdb.Error as error:
            raise filter_failed(condition, error) from error
        finally:
            connection.close()
        return np.asarray(found["movie_row"], dtype=np.int64)

    def rows_by_title(self, words: str, text: str) -> list[tuple[int, str]]:
        """Finds the movies whose titles hold some words; where there are none, those that resemble a text.

        Case, accents and punctuation do not matter. At most `_MOST_TITLES` are given: the shortest titles,
        or those that resemble the text most.

        Args:
            words: with spaces between them.
            text: as a person typed it.

        Returns:
            Rows and titles.

        Raises:
            ArtifactCorruptError: the database cannot be opened.
        """
        connection = self._open().cursor()
        try:
            wanted = {"words": words, "text": text, "most": _MOST_TITLES, "likeness": _LEAST_LIKENESS}
            found = connection.execute(_TITLES_WITH_WORDS, {"words": words, "most": _MOST_TITLES}).fetchall()
            if not found:
                found = connection.execute(_TITLES_ALIKE, wanted).fetchall()
        finally:
            connection.close()
        return [(int(row), title) for row, title in found]

    def close(self) -> None:
        """Closes the database; the next condition opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        with self._lock:
            if self._connection is None:
                try:
                    self._connection = duckdb.connect(str(self._path), read_only=True, config=_SETTINGS)
                except duckdb.Error as error:
                    reason = str(error).partition("\n")[0]
                    raise ArtifactCorruptError(
                        f"Cannot open the catalogue {self._path}: {reason}; build the index again"
                    ) from error
            return self._connection
