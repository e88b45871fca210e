"""Finds which columns of a file hold the reviewer, the movie, the rating and so on, and logs the result."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.errors import ConfigError, SourceError
from pipelines.reading.names import (
    DESCRIBING,
    LOG_COLUMNS,
    MOVIE_COLUMNS,
    REVIEW_COLUMNS,
    field_paths,
    field_text,
    match_columns,
    place_of,
    plain_name,
)
from pipelines.reading.parquet import open_parquet, parquet_sample
from pipelines.reading.sources import Source

if TYPE_CHECKING:
    import duckdb

_log = logging.getLogger(__name__)

NAMEABLE = (*REVIEW_COLUMNS, *DESCRIBING)
"""The columns of reviews and movies that the option --columns may assign to columns of a file."""
_NO_HEADER = ("reviewer", "movie", "rating", "time")
"""The columns that a review file without a header line is assumed to have, in the order of MovieLens'
files."""
_NUMBERED = "column {}"
"""The template for the name of a column in a file without a header line, such as "column 1"."""
_LONGEST_SHOWN = 40
"""The largest number of characters of a column's name that a message shows."""
_MOST_SHOWN = 20
"""The largest number of column names that a message lists."""
_MOST_LEVELS = 101
"""The largest number of different values that a column of ratings may have; 101 allows the whole numbers from
0 to 100."""
_ASIN = re.compile(r"B0[0-9A-Z]{8}|[0-9]{9}[0-9X]")
"""Matches the id of a product at Amazon, which may be an ISBN."""
_AMAZON_REVIEWER = re.compile(r"A[0-9A-Z]{9,}")
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Tells which columns of a file hold the reviewer, the movie, the rating and so on."""

    path: Path
    """The path of the file whose columns are described."""
    names: tuple[str, ...]
    """The names of the file's columns in file order, followed by the names of columns that come from folder
    names, such as `year` from a folder `year=2024`."""
    num_own: int
    """The number of columns that are in the file itself, without columns that come from folder names."""
    places: Mapping[str, int] = field(default_factory=dict)
    """Maps each column that was found, such as "reviewer", to a position in `names`, counted from 0."""
    sample: Sequence[Sequence[str | None]] = ()
    """The fields of the first records of the file as text; None if a record lacks the field."""

    @property
    def ignored(self) -> list[str]:
        """Returns the names of the columns that are not used."""
        taken = set(self.places.values())
        return [name for place, name in enumerate(self.names) if place not in taken]

    def __str__(self) -> str:
        """Returns the used and ignored columns as text, such as `using user as reviewer; ignored: note`."""
        used = [
            name if plain_name(name) == plain_name(column) else f"{name} as {column}"
            for column, name in ((column, self.names[place]) for column, place in self.places.items())
        ]
        ignored = f"; ignored: {_listed(self.ignored)}" if self.ignored else ""
        return f"using {', '.join(used)}{ignored}"


def columns_of(database: duckdb.DuckDBPyConnection, source: Source) -> Columns:
    """Returns the names of a file's columns and the file's first records; no column is recognised yet.

    For a Parquet file, the function returns no records. The function `review_columns` reads records of the
    Parquet file if no column of ratings is found.

    Raises:
        SourceError: the file is a damaged Parquet file.
    """
    names: Sequence[str]
    sample: Sequence[Sequence[str | None]]
    if source.layout == "parquet":
        names, sample = open_parquet(database, source).columns, ()
    elif source.layout == "json":
        objects = cast("Sequence[Mapping[str, object]]", source.sample)
        paths = field_paths(objects)
        names, sample = list(paths), [[field_text(item, path) for path in paths.values()] for item in objects]
    else:
        names = source.header or [_NUMBERED.format(number + 1) for number in range(source.num_fields)]
        sample = cast("Sequence[Sequence[str]]", source.sample)
    more = dict(source.partition)
    if more:
        sample = [[*record, *more.values()] for record in sample]
    return Columns(path=source.path, names=(*names, *more), num_own=len(names), sample=sample)


def review_columns(database: duckdb.DuckDBPyConnection, source: Source, given: Mapping[str, str]) -> Columns:
    """Finds the columns of a review file; `given` maps columns to the names that --columns gives.

    Raises:
        SourceError: the column of the reviewers or the column of the movies was not found.
    """
    found = columns_of(database, source)
    own = replace(found, names=found.names[: found.num_own])
    places = _numbered_places(own, given) if _has_no_header(own) else log_places(own.names, given)
    # A folder such as `year=2024` tells the year of the reviews and not of the movies, so that columns of
    # movies are taken from folders only if `given` names the columns.
    known = {name: names for name, names in LOG_COLUMNS.items() if name in REVIEW_COLUMNS or name in given}
    found = replace(found, places=_with_partition(found, places, given, known))
    _require(found, ("reviewer", "movie"))
    if source.layout == "parquet" and "rating" not in found.places:
        values = [value for _, value in source.partition]
        found = replace(found, sample=[[*row, *values] for row in parquet_sample(database, source)])
    return found


def log_places(names: Sequence[str], given: Mapping[str, str]) -> dict[str, int]:
    """Finds known columns among the column names of a review file; returns each found column's position."""
    places = match_columns(names, given, LOG_COLUMNS)
    # In a file that also holds the texts of reviews, such as Amazon's files of 2023, the column `title` holds
    # the titles of reviews, and not of movies.
    is_of_review = "review_text" in places and "summary" not in places and "title" not in given
    if is_of_review and "title" in places and plain_name(names[places["title"]]) == "title":
        places["summary"] = places.pop("title")
    return places


def movie_columns(database: duckdb.DuckDBPyConnection, source: Source, given: Mapping[str, str]) -> Columns:
    """Finds the columns of a movie file; `given` maps columns to the names that --columns gives.

    Raises:
        SourceError: the column of the movies' ids was not found.
    """
    found = columns_of(database, source)
    places = match_columns(found.names[: found.num_own], given, MOVIE_COLUMNS)
    if _has_no_header(found) and 0 not in places.values():
        places.setdefault("movie", 0)
    found = replace(found, places=_with_partition(found, places, given, MOVIE_COLUMNS))
    _require(found, ("movie",))
    return found


def _with_partition(
    found: Columns, places: Mapping[str, int], given: Mapping[str, str], known: Mapping[str, Sequence[str]]
) -> dict[str, int]:
    """Adds columns that come from folder names, such as `year` from `year=2024`, to the columns `places`.

    If a column is both in the file and in a folder name, the column in the file is used, with one exception:
    if --columns names the folder's column, such as `rating=stars` for a folder `stars=5`, the value from the
    folder name is used. `known` maps each column that is searched for, such as "year", to the column's usual
    names.
    """
    names = found.names[found.num_own :]
    of_folders = match_columns(names, given, known) if names else {}
    named = {column for column in of_folders if place_of(given.get(column, ""), names) is not None}
    taken = {column: place for column, place in of_folders.items() if column in named or column not in places}
    return {**places, **{column: found.num_own + place for column, place in taken.items()}}


def check_given(
    database: duckdb.DuckDBPyConnection,
    reviews: Sequence[Source],
    metadata: Sequence[Source],
    given: Mapping[str, str],
) -> None:
    """Checks the option --columns, which gives the names of columns in the files, such as `rating=stars`.

    The part before an equals sign in --columns, such as `rating` in `rating=stars`, must be one of NAMEABLE.
    The part after an equals sign in --columns, such as `stars` in `rating=stars`, must name a column of at
    least one file. An empty part after the equals sign, as in `rating=`, is allowed.

    Raises:
        ConfigError: the option --columns gives an unknown column, or a name that no column of any file has.
        SourceError: a file is a damaged Parquet file.
    """
    for column, wanted in given.items():
        if column not in NAMEABLE:
            raise ConfigError(
                f"--columns knows {', '.join(NAMEABLE)}, not {column!r}{_column_meant(column, wanted)}."
            )
    if not any(given.values()):
        return
    logs, catalogues = ([columns_of(database, source) for source in files] for files in (reviews, metadata))
    for column, wanted in given.items():
        is_of_reviews = logs and column in REVIEW_COLUMNS and column != "movie"
        files = logs if is_of_reviews else [*logs, *catalogues]
        if wanted and files and all(place_of(wanted, file.names) is None for file in files):
            names = list(dict.fromkeys(name for file in files for name in file.names))
            where = f"{files[0].path} does not have" if len(files) == 1 else "none of the files has"
            raise ConfigError(
                f"--columns says that the {column} is in the column {wanted!r}, which {where}"
                f"{_did_you_mean(wanted, names)}; the columns are {_listed(names)}."
            )


def say_columns(columns: Columns, given: Mapping[str, str]) -> None:
    """Logs the meanings of the columns of a review file; warns if ratings or times are missing."""
    _say(columns)
    missing = [name for name in ("rating", "time") if name not in columns.places and name not in given]
    if not missing:
        return
    what = " or ".join(f"{name}s" for name in missing)
    advice = ",".join(f"{name}=NAME" for name in missing)
    without = {
        ("rating",): "the reviews count as views",
        ("time",): "the order of the reviews is unknown",
        ("rating", "time"): "the reviews count as views in no known order",
    }[tuple(missing)]
    maybe = _maybe_rating(columns) if "rating" in missing else ""
    _log.warning(
        "No column of %s was found among %s in %s.%s Name %s with --columns %s; otherwise %s.",
        what,
        _listed(columns.names),
        columns.path,
        maybe,
        "it" if len(missing) == 1 else "them",
        advice,
        without,
    )


def say_movie_columns(columns: Columns) -> None:
    """Logs the meanings of the columns of a movie file; warns if titles are missing."""
    _say(columns)
    if "title" not in columns.places:
        _log.warning(
            "No column of titles was found among %s in %s. Name it with --columns title=NAME; otherwise the "
            "movies have no titles.",
            _listed(columns.names),
            columns.path,
        )


def _numbered_places(columns: Columns, given: Mapping[str, str]) -> dict[str, int]:
    """Returns the position of each column of a review file that has no header line.

    The usual order of columns is reviewer, movie, rating, time. If the first column holds Amazon's movie ids,
    and the second column holds Amazon's reviewer ids, the columns are movie, reviewer, rating, time. If the
    option --columns names the fifth column of the file or a later one, no column is recognised by its
    position; only the columns that --columns names are used.
    """
    places = match_columns(columns.names, given, LOG_COLUMNS)
    if all(place < len(_NO_HEADER) for place in places.values()):
        usual = list(_NO_HEADER)
        pairs = [(record[0] or "", record[1] or "") for record in columns.sample if len(record) > 1]
        if pairs and all(_ASIN.fullmatch(one) and _AMAZON_REVIEWER.fullmatch(two) for one, two in pairs):
            usual[:2] = "movie", "reviewer"
        for place, column in enumerate(usual[: len(columns.names)]):
            if place not in places.values() and column not in given:
                places.setdefault(column, place)
    return {column: places[column] for column in LOG_COLUMNS if column in places}


def _has_no_header(columns: Columns) -> bool:
    """Tells whether the columns of a file, or of a table in memory, have numbers instead of names."""
    return columns.names[:1] == (_NUMBERED.format(1),)


def _say(columns: Columns) -> None:
    if _has_no_header(columns):
        _log.info(
            "%s has no header line: %s. Name other columns by their numbers, such as --columns "
            "reviewer=1,movie=2.",
            columns.path,
            columns,
        )
    else:
        _log.info("%s: %s", columns.path, columns)


def _require(columns: Columns, required: Sequence[str]) -> None:
    missing = [name for name in required if name not in columns.places]
    if missing:
        no_header = any(_NUMBER.fullmatch(name) for name in columns.names)
        raise SourceError(
            f"Cannot tell which column of {columns.path} is the {' and which the '.join(missing)}; its "
            f"columns are {_listed(columns.names)}; say it with --columns, such as "
            f"--columns {','.join(f'{name}=NAME' for name in missing)}"
            f"{', or say --no-header if the first line is no header' if no_header else ''}.",
            path=columns.path,
        )


def _maybe_rating(columns: Columns) -> str:
    """Returns a question that a warning asks the user: whether a certain ignored column holds the ratings.

    The question names the first ignored column whose values look like ratings: numbers, with few different
    values. If no ignored column looks like ratings, "" is returned.
    """
    for name in columns.ignored:
        place = columns.names.index(name)
        values = [value for record in columns.sample if (value := (record[place] or "").strip())]
        levels = dict.fromkeys(values)
        if values and all(map(_NUMBER.fullmatch, values)) and 1 < len(levels) <= _MOST_LEVELS:
            if len(levels) == len(values) > _MOST_SHOWN:
                continue  # Numbers that differ in all records are ids or times.
            return f" Is {name} ({', '.join(list(levels)[:3])}) the rating? Say --columns rating={name}."
    return ""


def _column_meant(column: str, wanted: str) -> str:
    """Returns a hint for an error message: the known column that the user may have meant."""
    if wanted in NAMEABLE:
        return f" (did you mean {wanted}={column}?)"
    for known, names in (*REVIEW_COLUMNS.items(), *MOVIE_COLUMNS.items()):
        if plain_name(column) in names:
            return f" (did you mean {known!r}?)"
    return _did_you_mean(column, NAMEABLE)


def _did_you_mean(wanted: str, names: Sequence[str]) -> str:
    lowered = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(wanted.casefold(), lowered, n=1, cutoff=0.5)
    return f" (did you mean {lowered[close[0]]!r}?)" if close else ""


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return ", ".join(map(_cut, names[:_MOST_SHOWN])) + more


def _cut(name: str) -> str:
    """Cuts a long column name for a message, and puts the name on one line."""
    flat = " ".join(name[: 2 * _LONGEST_SHOWN].split())
    return flat if len(flat) <= _LONGEST_SHOWN else f"{flat[: _LONGEST_SHOWN - 3]}..."
