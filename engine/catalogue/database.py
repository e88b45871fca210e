"""Finds, with DuckDB, the movies that meet an SQL condition and the movies whose titles match a text.

Two guards keep an SQL condition from doing harm, and each guard alone is sufficient. The first guard against
a harmful condition is `engine/catalogue/filters.py`, which checks a condition before DuckDB runs the
condition. The second guard against a harmful condition is DuckDB itself, which opens the database read-only,
and refuses access to other files, to the network and to its settings.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arrays import Rows
from engine.artifact.layout import CARD_ARRAYS, CATALOGUE_FILE
from engine.artifact.reader import Artifact
from engine.errors import ArtifactCorruptError

if TYPE_CHECKING:
    import duckdb

    from indexes.conditions import Condition

_MOST_TITLES = 500
"""The largest number of titles that a title search returns, because a single letter would match most of the
catalogue."""
_LEAST_LIKENESS = 0.85
"""The least Jaro-Winkler similarity, from 0 to 1, at which a title resembles the searched text."""
_LONGEST_TITLE = 1_000
"""The number of characters at the beginning of a title in which words are searched; the rest of a longer
title is ignored."""
_LONGEST_ALIKE = 200
"""The number of characters at the beginning of a title that are compared with the searched text, because the
running time grows with the square of this number."""
_BEGINNING = f"left({{}}, {_LONGEST_ALIKE})"
_PLAIN = "trim(regexp_replace(lower(strip_accents({})), '[^\\p{{L}}\\p{{N}}]+', ' ', 'g'))"
_NAME = "coalesce(title, left(description, 72))"
"""The SQL expression for the name of a movie: the title, or the beginning of the description of a movie
without a title."""
_TITLES = f"""
with titles as (
    select
        movie_row,
        {_NAME} as title,
        {_PLAIN.format(f"left({_NAME}, {_LONGEST_TITLE})")} as plain,
        movie_count
    from movies
    where {_NAME} is not null
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

Settings = dict[str, str | bool | int | float | list[str]]

NO_EXTENSIONS: Settings = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
"""The settings that keep DuckDB from downloading or loading an extension, even if a statement or a path names
an extension."""
_SETTINGS: Settings = {**NO_EXTENSIONS, "memory_limit": "1GB", "threads": "1", "temp_directory": ""}
_COLUMNS = {
    "movie_row": "BIGINT",
    **dict.fromkeys(("movie_id", "title", "category", "main_cat", "description", "brand"), "VARCHAR"),
    "price": "DOUBLE",
    "rank": "INTEGER",
    "year": "INTEGER",
    "date": "VARCHAR",
    "movie_count": "INTEGER",
    "average_rating": "DOUBLE",
}
"""Maps the name of each column of the table of movies to the column's SQL type."""
_TABLE = re.compile(
    "CREATE TABLE movies\\(" + ", ".join(f'"?{name}"? {kind}' for name, kind in _COLUMNS.items()) + "\\);"
)
"""Matches the SQL definition of a table of movies without generated columns, default values and
constraints."""
_FOREIGN = {
    "views": "not internal",
    "indexes": "true",
    "constraints": "true",
    "sequences": "true",
    "triggers": "true",
    "types": "not internal",
    "functions": "not internal",
    "schemas": "not internal",
}
"""Maps each kind of object that a catalogue must not hold to an SQL condition, which is false for DuckDB's
own objects of that kind."""


class Catalogue:
    """Searches the DuckDB table of movies; opens the table at the first search; serves many threads."""

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def matching_rows(self, condition: str) -> Rows:
        """Returns the rows of the movies that meet an SQL condition: int64 [num_matching], ascending.

        The condition is an SQL expression over `CATALOGUE_COLUMNS`, such as `price < 10 and title ilike
        '%noir%'`. A movie without a value in a compared column does not meet the comparison.

        Raises:
            FilterError: the condition cannot be parsed; the condition names an unknown column; the condition
                uses SQL that is refused.
            ArtifactCorruptError: the database cannot be opened.
        """
        from engine.catalogue.matching import rows_where

        with self._checked_condition(condition) as (connection, columns):
            return self._checked(rows_where(connection, condition, columns))

    def matching_among(self, condition: str, rows: Rows) -> Rows:
        """Returns, in ascending order, the given rows whose movies meet an SQL condition.

        Raises:
            FilterError: the condition cannot be parsed; the condition names an unknown column; the condition
                uses SQL that is refused.
            ArtifactCorruptError: the database cannot be opened.
        """
        from engine.catalogue.matching import rows_where

        with self._checked_condition(condition) as (connection, columns):
            return self._checked(rows_where(connection, condition, columns, among=rows))

    def pushed(self, condition: str, columns: Mapping[str, str]) -> Condition | None:
        """Translates an SQL condition to a condition that a vector database can check.

        The argument `columns` maps the name of each column in the vector database to the kind of the column:
        "text", "whole" or "number". The method returns None if the vector database cannot check any part of
        the SQL condition. Every movie that meets the SQL condition also meets the translated condition;
        further movies may meet the translated condition.

        Raises:
            FilterError: the condition cannot be parsed; the condition names an unknown column; the condition
                uses SQL that is refused.
            ArtifactCorruptError: the database cannot be opened.
        """
        from engine.catalogue.filters import parse_condition
        from engine.catalogue.pushing import pushed_part

        with self._checked_condition(condition) as (connection, _):
            return pushed_part(parse_condition(connection, condition), columns)

    @contextmanager
    def _checked_condition(
        self, condition: str
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, frozenset[str]]]:
        """Checks an SQL condition; yields a connection and the names of the columns in the condition."""
        import duckdb

        from engine.catalogue.filters import CATALOGUE_COLUMNS, check_filter, filter_failed, require_condition

        connection = self._cursor()
        try:
            columns = check_filter(connection, condition, CATALOGUE_COLUMNS)
            require_condition(connection, condition, "movies")
            yield connection, columns
        except duckdb.Error as error:
            self._raise_if_damaged(error)
            raise filter_failed(condition, error) from error
        finally:
            connection.close()

    def rows_by_title(self, words: str, text: str) -> list[tuple[int, str]]:
        """Returns the rows and titles of the movies whose titles hold all given words.

        If no title holds all `words`, the method returns the movies whose titles resemble `text`, the title
        as a person typed it. The search ignores case, accents and punctuation. At most `_MOST_TITLES` movies
        are returned. Titles that hold all `words` are sorted from short to long. If no title holds all
        `words`, the titles that resemble `text` are sorted from most to least similar.

        Raises:
            ArtifactCorruptError: the database cannot be opened.
        """
        import duckdb

        connection = self._cursor()
        try:
            wanted: dict[str, Any] = {"words": words, "most": _MOST_TITLES}
            found = connection.execute(_TITLES_WITH_WORDS, wanted).fetchall()
            if not found:
                # Lone surrogates, which come from command-line arguments that are not UTF-8, are replaced.
                typed = text[:_LONGEST_ALIKE].encode(errors="replace").decode()
                wanted |= {"text": typed, "likeness": _LEAST_LIKENESS}
                found = connection.execute(_TITLES_ALIKE, wanted).fetchall()
        except (duckdb.Error, UnicodeDecodeError) as error:
            self._raise_if_damaged(error)
            raise
        finally:
            connection.close()
        self._checked(sorted(-1 if row is None else row for row, _ in found))
        return [(int(row), title) for row, title in found]

    def check(self) -> None:
        """Checks that the database holds only the table of movies, and that the table has one row per movie.

        Raises:
            ArtifactCorruptError: the database cannot be opened; the database holds something other than the
                table of movies.
        """
        cursor = self._cursor()
        try:
            with self._damage():
                rows = cursor.execute("select movie_row from movies order by movie_row").fetchnumpy()
        finally:
            cursor.close()
        self._checked(rows["movie_row"])

    def close(self) -> None:
        """Closes the database; the next search opens the database again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """Returns a connection whose default database is the catalogue, which is opened if necessary."""
        with self._lock:
            if self._connection is None:
                self._connection = self._open()
            cursor = self._connection.cursor()
        cursor.execute("use catalogue")
        return cursor

    def _open(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        path = self._artifact.handle(CATALOGUE_FILE)
        for log in (f"{path.resolve()}.wal", str(path.resolve()).replace("?", ".wal?", 1)):
            if log != str(path.resolve()) and Path(log).exists():
                raise self._corrupt("has a log of changes beside it, which no index has")
        connection = duckdb.connect(config=_SETTINGS)
        try:
            with self._damage():
                # The statement ATTACH takes any path; `duckdb.connect` would give some paths another meaning.
                quoted = str(path).replace("'", "''")
                connection.execute(f"attach '{quoted}' as catalogue (read_only)")
                connection.execute("set enable_external_access = false")
                connection.execute("set lock_configuration = true")
                self._check(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Checks that the opened database holds only the table of movies, with one row for each movie.

        If the database held a view, a trigger or a macro, DuckDB would run SQL from whoever made the index.
        To describe a view, DuckDB may read files outside the database, so the caller must first deny the
        connection access to files outside the database.
        """
        import duckdb

        here = "database_name = 'catalogue'"
        tables = connection.execute(f"select schema_name, sql from duckdb_tables() where {here}").fetchall()
        if len(tables) != 1 or tables[0][0] != "main" or not _TABLE.fullmatch(str(tables[0][1])):
            raise self._corrupt("does not hold the table of movies alone")
        for kind, condition in _FOREIGN.items():
            try:
                found = connection.execute(
                    f"select count(*) from duckdb_{kind}() where {here} and {condition}"
                ).fetchone()
            except duckdb.CatalogException as error:
                if kind == "triggers" and "duckdb_triggers" in str(error):
                    # Older versions of DuckDB have no triggers, and no function that lists triggers.
                    continue
                raise
            if found != (0,):
                raise self._corrupt(f"holds {kind} beside the table of movies")
        num_movies = self._num_movies
        rows = connection.execute(
            "select count(*), count(movie_row), min(movie_row), max(movie_row) from catalogue.movies"
        ).fetchone()
        if rows != ((num_movies, num_movies, 0, num_movies - 1) if num_movies else (0, 0, None, None)):
            raise self._corrupt(f"does not hold the {num_movies:,} movies of the index")

    def _checked(self, rows: Any) -> Rows:
        """Returns row numbers from the database; checks that they ascend and belong to movies."""
        if not np.ma.is_masked(rows):  # A masked entry stands for a row number that is null.
            found: Rows = np.asarray(rows, dtype=np.int64)
            bounded = np.concatenate([[-1], found, [self._num_movies]])
            if (bounded[1:] > bounded[:-1]).all():
                return found
        raise self._corrupt("has rows that are not those of the movies")

    @property
    def _num_movies(self) -> int:
        return len(self._artifact.array(CARD_ARRAYS[1])) - 1

    def _raise_if_damaged(self, error: Exception) -> None:
        """Raises ArtifactCorruptError if `error` shows that the file of the database is damaged.

        If an SQL condition caused the error, the method raises nothing. Before raising ArtifactCorruptError,
        the method closes the damaged database, because after some errors DuckDB refuses every later
        statement.
        """
        import duckdb

        damage = (duckdb.IOException, duckdb.InternalException, duckdb.FatalException)
        if isinstance(error, (*damage, UnicodeDecodeError)) or type(error) is duckdb.Error:
            self.close()
            raise self._corrupt(f"cannot be read ({str(error).partition(chr(10))[0]})") from error

    @contextmanager
    def _damage(self) -> Iterator[None]:
        """Converts an error of DuckDB in the `with` statement to an ArtifactCorruptError."""
        import duckdb

        try:
            yield
        except (duckdb.Error, UnicodeDecodeError) as error:
            reason = str(error).partition("\n")[0]
            raise self._corrupt(f"cannot be read ({reason})") from error

    def _corrupt(self, fault: str) -> ArtifactCorruptError:
        path = self._artifact.file(CATALOGUE_FILE)
        return ArtifactCorruptError(
            f"The catalogue {path} {fault}; restore the index from a copy or build it again"
        )
