"""Reads a newcomer's ratings from texts such as M1=5 or from a file, and converts ratings to a history."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from engine.artifact.ids import IdTable
from engine.errors import DataError, SourceError, shown
from engine.model.heads import RatingHead
from engine.model.histories import History
from engine.questions.arguments import as_id
from engine.questions.ids import ids_of, read_text, rows_of_known

_MOVIE_COLUMNS = ("movie_id", "movieid", "movie", "asin", "parent_asin", "item_id", "itemid", "item")
_RATING_COLUMNS = ("rating", "overall", "stars")
_LENGTH_SHOWN = 60
"""The largest number of characters of a faulty line that an error message shows."""

Ratings = Mapping[str, float | None] | Iterable[str]
"""A newcomer's ratings, oldest first, with movie ids as keys; or only movie ids, for data without ratings."""


def parse_pairs(texts: Iterable[str]) -> dict[str, float | None]:
    """Reads ratings from texts such as `M1=5` or `M1`; returns a dictionary with movie ids as keys.

    If the text after the last `=` is a number, the number is the rating; otherwise the whole text is a movie
    id. A movie that is given without a rating gets the rating None. The returned dictionary holds the movies
    in the order of the argument `texts`. If two texts in `texts` name the same movie, the earlier text is
    ignored, and the later text sets the movie's rating and position.

    Example:
        >>> parse_pairs(["M1=5", "M2", "M1=3.5"])
        {'M2': None, 'M1': 3.5}
    """
    ratings: dict[str, float | None] = {}
    for text in texts:
        _put(ratings, *_parse_pair(text))
    return ratings


def read_ratings(path: Path) -> dict[str, float | None]:
    """Reads a file of ratings, oldest first, with lines such as `M1,5` or `M1=5`.

    The first line of the file may be a header, which may also name columns that are not read. Blank lines, a
    byte order mark and any kind of line end are accepted. The function returns a dictionary with movie ids as
    keys, in the order of the file. If two lines name the same movie, the earlier line is ignored.

    Raises:
        SourceError: the file cannot be read; holds no ratings; or holds a line that is not a rating.
    """
    text = read_text(path, "ratings", "lines such as movie_id,rating")
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    columns: tuple[int, int | None] = (0, 1)
    if lines and (named := _header(lines[0][1])):
        columns, lines = named, lines[1:]
    if not lines:
        raise SourceError(f"{path} holds no ratings; expected lines such as movie_id,rating", path=path)
    ratings: dict[str, float | None] = {}
    for number, line in lines:
        try:
            _put(ratings, *_parse_line(line.strip(), *columns))
        except (ValueError, csv.Error) as error:
            shown = line.strip()[:_LENGTH_SHOWN]
            sentence = f"Line {number:,} of {path} is no rating: {shown!r}"
            expected = "expected movie_id,rating or MOVIE=RATING"
            raise SourceError(f"{sentence}; {expected}", path=path, line=number) from error
    return ratings


def join_ratings(
    earlier: Mapping[str, float | None], later: Mapping[str, float | None]
) -> dict[str, float | None]:
    """Appends later ratings to earlier ratings; the later of two ratings of the same movie is kept."""
    ratings = dict(earlier)
    for movie_id, rating in later.items():
        _put(ratings, movie_id, rating)
    return ratings


def history_of(ratings: Ratings, movies: IdTable, rating: RatingHead | None) -> History:
    """Converts a newcomer's ratings to a history; a rating between two levels counts as the nearer level.

    Movies that the index does not hold are skipped, with a warning. If the index was built from data without
    ratings, `rating` is None, and `ratings` may hold movie ids without ratings.

    Raises:
        DataError: no movie is given; or a rating is missing, is not a number, or is out of range.
        UnknownIdError: the index holds none of the rated movies.
    """
    given: dict[str, float | None] = (
        {as_id(movie_id): value for movie_id, value in ratings.items()}
        if isinstance(ratings, Mapping)
        else dict.fromkeys(ids_of(ratings))
    )
    if not given:
        raise DataError("No movie was given; say at least one that the reviewer knows, such as MOVIE=5")
    levels = [] if rating is None else rating.levels.tolist()
    level_rows = [_level_row(movie_id, value, levels) for movie_id, value in given.items()]
    rows = rows_of_known(list(given), movies)
    known = rows >= 0
    return History(rows[known].astype(np.int32), np.array(level_rows, dtype=np.int8)[known])


def _put(ratings: dict[str, float | None], movie_id: str, rating: float | None) -> None:
    ratings.pop(movie_id, None)
    ratings[movie_id] = rating


def _parse_pair(text: str) -> tuple[str, float | None]:
    movie_id, separator, value = text.rpartition("=")
    if separator and movie_id.strip():
        try:
            return movie_id.strip(), float(value)
        except ValueError:
            pass
    return text.strip(), None


def _parse_line(line: str, movie_column: int, rating_column: int | None) -> tuple[str, float | None]:
    fields = _fields(line)
    if len(fields) == 1 and "=" in line:
        movie_id, rating = _parse_pair(line)
        if rating is None:
            raise ValueError("no rating")
        return movie_id, rating
    movie_id = fields[movie_column] if movie_column < len(fields) else ""
    if not movie_id:
        raise ValueError("no movie")
    value = "" if rating_column is None or rating_column >= len(fields) else fields[rating_column]
    return movie_id, float(value) if value else None


def _header(line: str) -> tuple[int, int | None] | None:
    """Returns the positions of the movie column and the rating column if `line` is a header, else None.

    A header is a line that names columns. If the header names no rating column, the position of the rating
    column is None.
    """
    names = [name.casefold() for name in _fields(line)]
    movie = _first(names, _MOVIE_COLUMNS)
    return None if movie is None else (movie, _first(names, _RATING_COLUMNS))


def _first(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _fields(line: str) -> list[str]:
    return [field.strip() for field in next(csv.reader([line]))]


def _level_row(movie_id: str, value: float | None, levels: Sequence[float]) -> int:
    """Returns the position of the rating level nearest to a rating, or 0 if the data has no ratings."""
    if not levels:
        return 0
    low, high = levels[0], levels[-1]
    if value is None:
        raise DataError(
            f"Movie {shown(movie_id)} comes without a rating, but the index was built from ratings of "
            f"{low:g} to {high:g}; give one for each movie, as MOVIE=RATING"
        )
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if math.isnan(number):
        raise DataError(
            f"The rating of movie {shown(movie_id)} must be a number from {low:g} to {high:g} "
            f"but is {shown(value)}"
        )
    if not (math.isfinite(number) and low <= number <= high):
        raise DataError(
            f"The rating {number:g} of movie {shown(movie_id)} is out of range; the ratings of the data go "
            f"from {low:g} to {high:g}"
        )
    return min(range(len(levels)), key=lambda place: abs(levels[place] - number))
