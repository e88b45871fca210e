"""Reads movie ids as people give them: one, several, or a file with one a line; and finds their rows."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.arrays import Rows
from engine.artifact.ids import IdTable
from engine.errors import SourceError, UnknownIdError

logger = logging.getLogger(__name__)

_MOST_NAMED = 5
"""Ids that a warning about unknown ids names, at most."""
_FILE_ENDINGS = (".txt", ".csv", ".tsv", ".ids", ".list", ".lst")
"""Endings of a value that means a file, so that a missing file is not taken for an id."""


def ids_of(given: Iterable[str] | Path) -> list[str]:
    """Returns the distinct ids of some ids, of one id, or of a file, in the order given.

    Raises:
        SourceError: the file cannot be read.

    Example:
        >>> ids_of("M1"), ids_of(["M2", "M1", "M2"])
        (['M1'], ['M2', 'M1'])
    """
    if isinstance(given, Path):
        return list(dict.fromkeys(read_ids(given)))
    return list(dict.fromkeys([given] if isinstance(given, str) else map(str, given)))


def read_ids(path: Path, kind: str = "movie") -> list[str]:
    """Reads the ids of a file, one a line; blank lines, a byte order mark and any line ends are accepted.

    Raises:
        SourceError: the file cannot be read or is no text in UTF-8.
    """
    text = read_text(path, f"{kind} ids", "one id a line")
    return [line.strip() for line in text.split("\n") if line.strip()]


def read_text(path: Path, content: str, expected: str) -> str:
    """Reads a file as text in UTF-8, with or without a byte order mark.

    The error's sentence says what the file should hold: `content`, such as "movie ids", and how: `expected`,
    such as "one id a line".

    Raises:
        SourceError: the file cannot be read or is no text in UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or error) if isinstance(error, OSError) else "it is not UTF-8 text"
        sentence = f"Cannot read the {content} in {path}: {reason}; expected a text file with {expected}"
        raise SourceError(sentence, path=path) from error


def ids_or_file(values: Sequence[str]) -> list[str]:
    """Reads ids from a command line: each value is a file, or ids with commas between them.

    A value is a file where a file of that name exists, or where the value looks like a path.

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
    ids: Sequence[str], movies: IdTable, *, described: str = "movies given", needed: bool = True
) -> Rows:
    """Finds the rows of movies by their distinct ids: int64 [len(ids)], -1 for an unknown id.

    Unknown ids are warned of; the warning and the error call the ids `described`, as in "movies of 'only'".

    Raises:
        UnknownIdError: the index holds none of the ids, though one is needed.
    """
    rows = movies.rows(ids)
    unknown = [movie_id for movie_id, row in zip(ids, rows.tolist(), strict=True) if row < 0]
    if needed and len(unknown) == len(ids) > 0:
        others = f", nor any other of the {len(ids):,} {described}" if len(ids) > 1 else ""
        where = f"the index ({len(movies):,} movies){others}"
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
