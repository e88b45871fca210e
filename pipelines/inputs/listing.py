"""Lists the files of folders, of patterns such as reviews-*.json.gz, and of addresses such as s3://bucket/reviews.

A folder whose name has the form `NAME=VALUE` is a hive partition: VALUE is the value of the column NAME in
all rows of the files below the folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from glob import glob
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote

from engine.errors import SourceError
from engine.feedback.journal import Journal
from pipelines.inputs.lake import refuse_table_inside
from pipelines.inputs.remote import Address, is_url, remote_files
from pipelines.inputs.spool import Given, Input, Partition

_PATTERN = re.compile(r"[*?\[]")
_PARTITION = re.compile(r"([^=]+)=(.*)", re.DOTALL)
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""The value that Hive and Spark write in the name of a folder for rows without a value."""
_OF_THIS_DISK = "file://"


def inputs_at(source: Path | str) -> list[Input]:
    """Returns one input for each file that a path, a pattern or an address names, sorted by name.

    A path that exists is never taken for a pattern. Files and folders whose names begin with `.` or `_` are
    left out of folders and patterns, because programs write notes of their own under these names. A folder
    that holds a journal of feedback is one input.

    Raises:
        SourceError: no file matches the pattern; the folder holds no file; or the address cannot be read.
        ConfigError: the scheme of the address is unknown; or a Python package for the scheme is not
            installed.
    """
    text = str(source)
    if is_url(text) and not text.startswith(_OF_THIS_DISK):
        return _inputs_of_address(text)
    text = text.removeprefix(_OF_THIS_DISK)
    if not os.path.lexists(text) and _PATTERN.search(text):
        return _inputs_of_pattern(text)
    path = Path(text)
    if not os.path.isdir(text) or Journal(path).is_there:  # noqa: PTH112 - Path.is_dir raises for odd names.
        return [_input(path)]
    found = [_input(file) for file in sorted(_files_below(path))]
    return found or _refuse(path, "The folder {} holds no file")


def _inputs_of_pattern(pattern: str) -> list[Input]:
    # A pattern such as `data/**` matches a folder and also the files in the folder.
    found: dict[Path, None] = {}
    parts = Path(pattern).parts
    num_plain = next(place for place, part in enumerate(parts) if _PATTERN.search(part))
    shows_hidden = any(map(_is_hidden, parts[num_plain:]))
    for path in map(Path, glob(pattern, recursive=True)):  # noqa: PTH207 - Path.glob takes no absolute pattern.
        if not shows_hidden and any(map(_is_hidden, path.parts[num_plain:])):
            continue
        is_folder = path.is_dir() and not Journal(path).is_there
        found |= dict.fromkeys(_files_below(path) if is_folder else [path])
    return [_input(path) for path in sorted(found)] or _refuse(Path(pattern), "No file matches {}")


def _files_below(folder: Path) -> Iterator[Path]:
    """Yields all files in a folder and in its subfolders; leaves out hidden files and folders."""

    def fail(error: OSError) -> NoReturn:
        raise SourceError(f"Cannot read the folder {folder}: {error.strerror}.", path=folder) from error

    for parent, folders, names in os.walk(folder, onerror=fail):
        below = Path(parent).relative_to(folder).parts
        for name in (*folders, *names):
            refuse_table_inside(folder, (*below, name))
        folders[:] = [name for name in folders if not _is_hidden(name)]
        yield from (Path(parent, name) for name in names if not _is_hidden(name))


def _inputs_of_address(url: str) -> list[Input]:
    def is_wanted(below: str) -> bool:
        refuse_table_inside(Address(url), tuple(below.split("/")))
        return not any(map(_is_hidden, below.split("/")))

    found: list[Input] = []
    for remote in remote_files(url, is_wanted):
        name = Address(remote.url)
        found.append(Given(name, name, _partition_of(remote.url.split("/")), remote))
    return found or _refuse(Address(url), "No file is at {}")


def _refuse(path: Path, what: str) -> NoReturn:
    raise SourceError(
        f"{what.format(path)}; check the name (names that begin with _ or . are left out).", path=path
    )


def _input(path: Path) -> Input:
    partition = _partition_of(path.parts)
    return Given(path, path, partition) if partition else path


def _partition_of(parts: Sequence[str]) -> Partition:
    """Returns the columns and values in the folder names of a file's path, such as `date=2024-01`.

    The value of a column is None if the folder's name has _NO_VALUE in place of a value.

    Example:
        >>> _partition_of(["log", "date=2024-01", "user=a%2Fb", "part-0.parquet"])
        (('date', '2024-01'), ('user', 'a/b'))
    """
    found = {}
    for part in parts[:-1]:
        if matched := _PARTITION.fullmatch(part):
            value = unquote(matched[2])
            found[unquote(matched[1])] = None if value == _NO_VALUE else value
    return tuple(found.items())


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "_"))
