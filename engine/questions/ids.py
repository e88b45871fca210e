"""Reads movie ids from texts or from a file with one id per line, and looks up the movies' rows."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.arrays import Rows
from engine.artifact.ids import IdTable
from engine.errors import SourceError, UnknownIdError
from engine.questions.arguments import each_id

logger = logging.getLogger(__name__)

_MOST_NAMED = 5
"""The largest number of ids that a warning about unknown ids names."""
_FILE_ENDINGS = (".txt", ".csv", ".tsv", ".ids", ".list", ".lst")
"""A value with one of these endings is read as the path of a file, even if the file does not exist."""


def ids_of(given: Iterable[str] | Path) -> list[str]:
    """Returns ids without repeats, in the given order; `given` may be a single id, several ids or a file.

    Raises:
        ConfigError: an id is neither text nor a whole number.
        SourceError: `given` is the path of a file that cannot be read or is not UTF-8 text.

    Example:
        >>> ids_of("M1"), ids_of(["M2", "M1", "M2"])
        (['M1'], ['M2', 'M1'])
    """
    if isinstance(given, Path):
        return list(dict.fromkeys(read_ids(given)))
    return list(dict.fromkeys(each_id(given)))


def read_ids(path: Path, kind: str = "movie") -> list[str]:
    """Reads ids from a file with one id per line; skips blank lines and a byte order mark.

    Raises:
        SourceError: the file cannot be read or is not UTF-8 text.
    """
    text = read_text(path, f"{kind} ids", "one id a line")
    return [line.strip() for line in text.split("\n") if line.strip()]


def read_text(path: Path, content: str, expected: str) -> str:
    """Reads a file of UTF-8 text, with or without a byte order mark.

    Args:
        path: the file.
        content: a phrase for the error message that says what the file should contain, such as "movie ids".
        expected: a phrase for the error message that says how a correct file looks, such as "one id a line".

    Raises:
        SourceError: the file cannot be read or is not UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or error) if isinstance(error, OSError) else "it is not UTF-8 text"
        sentence = f"Cannot read the {content} in {path}: {reason}; expected a text file with {expected}"
        raise SourceError(sentence, path=path) from error


def ids_or_file(values: Sequence[str]) -> list[str]:
    """Reads ids from the values of an option; each value is a file's path, or ids separated by commas.

    A value is read as a path if the value contains a slash, ends like a file name, or names an existing file.

    Raises:
        SourceError: a file cannot be read.

    Example:
        >>> ids_or_file(["M1,M2", "M3"])
        ['M1', 'M2', 'M3']
    """
    ids: list[str] = []
    for value in values:
        if _is_file(value):
            ids += read_ids(Path(value))
        else:
            ids += [part.strip() for part in value.split(",") if part.strip()]
    return ids


def rows_of_known(
    ids: Sequence[str],
    movies: IdTable,
    *,
    described: str = "movies given",
    needed: bool = True,
    index: str = "the index",
) -> Rows:
    """Returns the row of each movie id, int64 [len(ids)]; the row is -1 if the index does not hold the id.

    A warning names the ids that are not in the index.

    Args:
        ids: the movie ids, without repeats.
        movies: the table of the movie ids in the index.
        described: a phrase for the movies in the warning and in the error, such as "movies of 'only'".
        needed: whether to raise an error if the index holds none of the ids.
        index: the name of the index, for the error message.

    Raises:
        UnknownIdError: the index holds none of the ids, and `needed` is True.
    """
    rows = movies.rows(ids)
    unknown = [movie_id for movie_id, row in zip(ids, rows.tolist(), strict=True) if row < 0]
    if needed and len(unknown) == len(ids) > 0:
        others = f", nor any other of the {len(ids):,} {described}" if len(ids) > 1 else ""
        where = f"{index} ({len(movies):,} movies){others}"
        raise UnknownIdError("movie", unknown[0], where, movies.close_matches(unknown[0]))
    if unknown:
        named = ", ".join(unknown[:_MOST_NAMED]) + (", ..." if len(unknown) > _MOST_NAMED else "")
        counts = f"{len(unknown):,} of the {len(ids):,} {described}"
        logger.warning("Skipped %s, which the index does not hold: %s", counts, named)
    return rows


def _is_file(value: str) -> bool:
    if "/" in value or "\\" in value or value.casefold().endswith(_FILE_ENDINGS):
        return True
    try:
        return Path(value).is_file()
    except (OSError, ValueError):
        return False
