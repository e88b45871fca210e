"""Finds the movies that meet an SQL condition or have a given title, with DuckDB.

Two guards, each sufficient alone, keep a condition from doing harm. `engine/catalogue/filters.py` checks the
condition before DuckDB runs it. DuckDB opens the database read-only, without access to other files, the
network or the settings of DuckDB.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.arrays import Rows
from engine.errors import ArtifactCorruptError

if TYPE_CHECKING:
    import duckdb

_MOST_TITLES = 500
"""The most titles that a search returns; a single letter would otherwise match most of the catalogue."""
_LEAST_LIKENESS = 0.85
"""The least Jaro-Winkler similarity, 0 to 1, at which a title counts as resembling the searched text."""
_LONGEST_TITLE = 1_000
"""The number of characters of a title that are searched; the rest of a longer title is ignored."""
_LONGEST_ALIKE = 200
"""The number of characters that are compared; the time to compare grows with the square of this number."""
_BEGINNING = f"left({{}}, {_LONGEST_ALIKE})"
_PLAIN = "trim(regexp_replace(lower(strip_accents({})), '[^\\p{{L}}\\p{{N}}]+', ' ', 'g'))"
_TITLES = f"""
with titles as (
    select movie_row, title, {_PLAIN.format(f"left(title, {_LONGEST_TITLE})")} as plain, movie_count
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
            jaro_winkler_similarity({_BEGINNING.format("plain")}, {_PLAIN.format("$text")}),
            jaro_winkler_similarity(
                {_BEGINNING.format("regexp_replace(plain, ' [0-9]{4}$', '')")}, {_BEGINNING.format("$words")}
            )
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
    """Searches the DuckDB table of movies, which the first search opens; many threads may search at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def matching_rows(self, condition: str) -> Rows:
        """Returns the rows of the movies for which an SQL condition is true, int64 [num_matching], ascending.

        The condition is SQL over `CATALOGUE_COLUMNS`, such as `price < 10 and title ilike '%noir%'`. A
        comparison is not true for a movie whose value in the compared column is unknown.

        Raises:
            FilterError: the condition does not parse, names an unknown column, or uses SQL that is refused.
            ArtifactCorruptError: the database cannot be opened.
        """
        import duckdb

        from engine.catalogue.filters import CATALOGUE_COLUMNS, check_filter, filter_failed, require_condition
        from engine.catalogue.matching import rows_where

        connection = self._open().cursor()
        try:
            columns = check_filter(connection, condition, CATALOGUE_COLUMNS)
            require_condition(connection, condition, "movies")
            return rows_where(connection, condition, columns)
        except duckdb.Error as error:
            raise filter_failed(condition, error) from error
        finally:
            connection.close()

    def rows_by_title(self, words: str, text: str) -> list[tuple[int, str]]:
        """Returns the rows and titles of movies whose titles hold all words, or else resemble the text.

        `words` holds the words to look for, and `text` the title as a person typed it. Case, accents and
        punctuation are ignored. At most `_MOST_TITLES` movies are returned: the shortest titles first if
        titles hold all words, otherwise the titles most similar to the text first.

        Raises:
            ArtifactCorruptError: the database cannot be opened.
        """
        connection = self._open().cursor()
        try:
            wanted: dict[str, Any] = {"words": words, "most": _MOST_TITLES}
            found = connection.execute(_TITLES_WITH_WORDS, wanted).fetchall()
            if not found:
                # A text that is not UTF-8 in the arguments of a process holds lone surrogates.
                typed = text[:_LONGEST_ALIKE].encode(errors="replace").decode()
                wanted |= {"text": typed, "likeness": _LEAST_LIKENESS}
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
