"""Finds the movies that meet a condition in SQL or have a title; DuckDB answers nothing else at query time.

Two guards stand before a condition, and either would do alone: `engine/catalogue/filters.py` checks it before
it runs, and the database is opened read-only and cut off from files, network and settings.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arrays import Rows
from engine.errors import ArtifactCorruptError

if TYPE_CHECKING:
    import duckdb

CATALOGUE_COLUMNS = (
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
"""Titles that a search gives; a single letter would otherwise give most of the catalogue."""
_LEAST_LIKENESS = 0.85
"""The least Jaro-Winkler similarity of a title that resembles what was asked for, 0 to 1."""
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


class Catalogue:
    """Holds the movies of an index as a table, opened by the first question; many threads may ask at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def matching_rows(self, condition: str) -> Rows:
        """Finds the rows of the movies for which a condition is true, int64 [num_matching], ascending.

        The condition is SQL over `CATALOGUE_COLUMNS`, such as `price < 10 and title ilike '%noir%'`. A
        comparison with a value that is unknown for a movie is not true.

        Raises:
            FilterError: the condition does not parse, names an unknown column, or is more than a filter.
            ArtifactCorruptError: the database cannot be opened.
        """
        import duckdb

        from engine.catalogue.filters import check_filter, filter_failed, require_condition

        connection = self._open().cursor()
        try:
            check_filter(connection, condition, CATALOGUE_COLUMNS)
            require_condition(connection, condition, "movies")
            # The line break closes a comment at the end of the condition.
            found = connection.execute(
                f"select movie_row from movies where ({condition}\n) order by movie_row"
            ).fetchnumpy()
        except duckdb.Error as error:
            raise filter_failed(condition, error) from error
        finally:
            connection.close()
        return np.asarray(found["movie_row"], dtype=np.int64)

    def rows_by_title(self, words: str, text: str) -> list[tuple[int, str]]:
        """Finds the movies whose titles hold all words; where no title does, titles that resemble the text.

        The text is the title as a person typed it. Case, accents and punctuation do not matter. Returns the
        row and the title of at most `_MOST_TITLES` movies: of the shortest titles, or of those most alike.

        Raises:
            ArtifactCorruptError: the database cannot be opened.
        """
        connection = self._open().cursor()
        try:
            wanted: dict[str, Any] = {"words": words, "most": _MOST_TITLES}
            found = connection.execute(_TITLES_WITH_WORDS, wanted).fetchall()
            if not found:
                wanted |= {"text": text, "likeness": _LEAST_LIKENESS}
                found = connection.execute(_TITLES_ALIKE, wanted).fetchall()
        finally:
            connection.close()
        return [(int(row), title) for row, title in found]

    def close(self) -> None:
        """Closes the database; the next condition or title opens it again."""
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
