"""Ratings as people give them: MOVIE=RATING on a command line, or a file of such lines or of CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from engine.artifact.ids import IdTable
from engine.errors import DataError, SourceError, UnknownIdError
from engine.model.heads import RatingHead
from engine.model.histories import History
from engine.model.newcomers import logger

_MOVIE_COLUMNS = ("movie_id", "movieid", "movie", "asin", "parent_asin", "item_id", "itemid", "item")
_RATING_COLUMNS = ("rating", "overall", "stars")
_LENGTH_SHOWN = 60


Ratings = Mapping[str, float | None] | Iterable[str]
"""Ratings by movie id, oldest first; of data without ratings the ids are enough."""
_NUM_NAMED = 5


def parse_pairs(texts: Iterable[str]) -> dict[str, float | None]:
    """Reads `MOVIE=RATING`, or `MOVIE` alone; of a movie given twice the later rating counts.

    What follows the last `=` is a rating if it is a number; otherwise the whole text is an id.

    Returns:
        Ratings by movie id, in the order given; None for a movie without one.

    Example:
        >>> parse_pairs(["M1=5", "M2", "M1=3.5"])
        {'M2': None, 'M1': 3.5}
    """
    ratings: dict[str, float | None] = {}
    for text in texts:
        _put(ratings, *_parse_pair(text))
    return ratings


def read_ratings(path: Path) -> dict[str, float | None]:
    """Reads a file of ratings, oldest first: lines `movie_id,rating`, or `MOVIE=RATING`.

    There may be a header, which may name other columns too. Blank lines, a byte order mark and any line ends
    are accepted.

    Returns:
        Ratings by movie id, in the order of the file; of a movie that comes twice the later one.

    Raises:
        SourceError: the file cannot be read, a line is neither, or there is no line.
    """
    lines = [(number, line) for number, line in enumerate(_read(path).splitlines(), 1) if line.strip()]
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
            raise SourceError(
                f"Line {number:,} of {path} is no rating: {shown!r}; expected movie_id,rating or "
                "MOVIE=RATING",
                path=path,
                line=number,
            ) from error
    return ratings


def join_ratings(
    earlier: Mapping[str, float | None], later: Mapping[str, float | None]
) -> dict[str, float | None]:
    """Puts later ratings behind earlier ones; of a movie in both the later counts."""
    ratings = dict(earlier)
    for movie_id, rating in later.items():
        _put(ratings, movie_id, rating)
    return ratings


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
    """Which columns hold the movie and its rating, if any; None where the line is no header."""
    names = [name.casefold() for name in _fields(line)]
    movie = _first(names, _MOVIE_COLUMNS)
    return None if movie is None else (movie, _first(names, _RATING_COLUMNS))


def _first(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _fields(line: str) -> list[str]:
    return [field.strip() for field in next(csv.reader([line]))]


def _read(path: Path) -> str:
    expected = "expected a text file with lines such as movie_id,rating"
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or error
        raise SourceError(f"Cannot read the ratings in {path}: {reason}; {expected}", path=path) from error
    except UnicodeDecodeError as error:
        raise SourceError(
            f"Cannot read the ratings in {path}: it is not UTF-8 text; {expected}", path=path
        ) from error


def history_of(ratings: Ratings, movies: IdTable, rating: RatingHead | None) -> History:
    """Makes a history of what someone new has rated; a rating between two levels counts as the nearer one.

    Args:
        ratings: oldest first. Movies that the index does not hold are skipped with a warning.
        movies: the ids of the index.
        rating: has the levels; None where the data has no ratings, which are then not asked for.

    Raises:
        DataError: there are no movies at all, or a rating is missing, no number or out of range.
        UnknownIdError: the index holds none of the movies.
    """
    given = _as_mapping(ratings)
    if not given:
        raise DataError("No movie was given; say at least one that the reviewer knows, such as MOVIE=5")
    levels = [] if rating is None else rating.levels.tolist()
    level_rows = [_level_row(movie_id, value, levels) for movie_id, value in given.items()]
    rows = movies.rows(list(given))
    known = rows >= 0
    unknown = [movie_id for movie_id, held in zip(given, known, strict=True) if not held]
    _report_unknown(unknown, given, movies)
    return History(rows[known].astype(np.int32), np.array(level_rows, dtype=np.int8)[known])


def _as_mapping(ratings: Ratings) -> dict[str, float | None]:
    if isinstance(ratings, Mapping):
        return dict(ratings)
    return dict.fromkeys([ratings] if isinstance(ratings, str) else ratings)


def _level_row(movie_id: str, value: float | None, levels: Sequence[float]) -> int:
    """The position of the level that a rating counts as; 0 where there are no levels."""
    if not levels:
        return 0
    low, high = levels[0], levels[-1]
    if value is None:
        raise DataError(
            f"Movie {movie_id!r} comes without a rating, but the index was built from ratings of {low:g} to "
            f"{high:g}; give one for each movie, as MOVIE=RATING"
        )
    number = float(value)
    if not (math.isfinite(number) and low <= number <= high):
        raise DataError(
            f"The rating {number:g} of movie {movie_id!r} is out of range; the ratings of the data go from "
            f"{low:g} to {high:g}"
        )
    return min(range(len(levels)), key=lambda place: abs(levels[place] - number))


def _report_unknown(unknown: list[str], given: Mapping[str, float | None], movies: IdTable) -> None:
    if len(unknown) == len(given):
        others = f", nor any other of the {len(given):,} movies given" if len(given) > 1 else ""
        where = f"the index ({len(movies):,} movies){others}"
        raise UnknownIdError("movie", unknown[0], where, movies.close_matches(unknown[0]))
    if unknown:
        named = ", ".join(unknown[:_NUM_NAMED]) + (", ..." if len(unknown) > _NUM_NAMED else "")
        logger.warning(
            "Skipped %s of the %s movies, which the index does not hold: %s",
            f"{len(unknown):,}",
            f"{len(given):,}",
            named,
        )
