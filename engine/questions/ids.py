"""Movie ids as people give them: one, several, or a file with one a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.errors import SourceError

_FILE_ENDINGS = (".txt", ".csv", ".tsv", ".ids", ".list", ".lst")


def ids_of(given: Iterable[str] | Path) -> list[str]:
    """Gives the distinct ids, in the order given.

    Args:
        given: ids, one id, or the path of a file.

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

    Args:
        path: the file.
        kind: "movie" or "reviewer", for the error's sentence.

    Raises:
        SourceError: the file cannot be read or is no text in UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SourceError(
            f"Cannot read the {kind} ids in {path}: {error.strerror or error}; expected a text file with "
            "one id a line",
            path=path,
        ) from error
    except UnicodeDecodeError as error:
        raise SourceError(
            f"Cannot read the {kind} ids in {path}: it is not UTF-8 text; expected one id a line", path=path
        ) from error
    return [line.strip() for line in text.split("\n") if line.strip()]


def ids_or_file(values: Sequence[str]) -> list[str]:
    """Reads what was given on a command line: each value is a file, or ids with commas between them.

    A value is a file where one of that name exists, or where it looks like a path.

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


def _is_file(value: str) -> bool:
    if "/" in value or "\\" in value or value.casefold().endswith(_FILE_ENDINGS):
        return True
    try:
        return Path(value).is_file()
    except (OSError, ValueError):
        return False
