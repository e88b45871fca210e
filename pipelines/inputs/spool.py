"""Copies sources that can be read only once, such as pipes and standard input, to files on the disk."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from typing import NamedTuple

from engine.errors import DataError, SourceError
from pipelines.inputs.remote import RemoteFile
from pipelines.text.kinds import form_of

_STANDARD_INPUT = Path("-")
_CHUNK = 1 << 20
_SPARE = 256 << 20
"""When a source is copied, at least this number of bytes must stay free on the disk, so that an endless
source does not fill the disk."""


Partition = tuple[tuple[str, str | None], ...]
"""The names and the values of columns that have the same value in all rows of a file."""


class Given(NamedTuple):
    """Holds the name of a source of reviews or metadata, and the file with the source's bytes."""

    path: Path
    """The path or address by which the user named the source, for messages."""
    file: Path
    """The file to read: the file at `path`, the copy of a source that can be read only once, or the Parquet
    file to which a table was written. For a remote file, `file` is the remote address."""
    partition: Partition = ()
    """The columns whose values come from names of folders, such as `date=2024-01`; the value of such a column
    is the same in all rows of the file."""
    remote: RemoteFile | None = None
    """The remote file whose bytes are read; None if the source is on this disk."""


Input = Path | Given
"""A source of reviews or metadata: a path if the user named the file to read, or a `Given` if the bytes of
the source are in a file of another name."""


def file_of_input(given: Input) -> Path:
    """Returns the path of the file, or the pipe, that holds the bytes of a source."""
    return given.file if isinstance(given, Given) else given


def name_of_input(given: Input) -> Path:
    """Returns the name of a source for messages and web pages."""
    return given.path if isinstance(given, Given) else given


def num_bytes_of(given: Input) -> int:
    """Returns the number of bytes of a source; 0 for a folder, a pipe, a device and standard input."""
    if isinstance(given, Given) and given.remote is not None:
        return given.remote.size
    path = file_of_input(given)
    return path.stat().st_size if path.is_file() else 0


def is_read_once(given: Input) -> bool:
    """Tells whether a source can be read only once, which is true of pipes, devices and standard input."""
    path = file_of_input(given)
    if isinstance(given, Given) and given.remote is not None:
        return False
    if path == _STANDARD_INPUT:
        return True
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def readable_files(inputs: Sequence[Input], folder: Path) -> list[Given]:
    """Returns a file for each source; copies a source that can be read only once, such as a pipe, to a file.

    The path "-" stands for standard input. Copies of sources that can be read only once are written to
    `folder`; the caller must delete `folder`. Remote files are not copied.

    Raises:
        SourceError: a source cannot be read; or a source that can be read only once is named twice.
        DataError: the copy of a source that can be read only once does not fit on the disk.
    """
    once = [is_read_once(given) for given in inputs]
    seen: set[tuple[int, int]] = set()
    for path in map(file_of_input, compress(inputs, once)):
        identity = _identity(path)
        if identity in seen:
            raise SourceError(
                f"{_name(path)} is given twice, but can be read only once; save it to a file, and give that "
                "file twice.",
                path=path,
            )
        seen.add(identity)
    return [_readable(given, folder, copied=copied) for given, copied in zip(inputs, once, strict=True)]


def _readable(given: Input, folder: Path, *, copied: bool) -> Given:
    if isinstance(given, Given):
        return given
    return Given(_name(given), _copy(given, folder)) if copied else Given(given, given)


def _name(path: Path) -> Path:
    return Path("standard input") if path == _STANDARD_INPUT else path


def _identity(path: Path) -> tuple[int, int]:
    if path == _STANDARD_INPUT and sys.stdin is None:
        raise SourceError("Cannot read standard input: it is closed.", path=_name(path))
    try:
        facts = os.fstat(0) if path == _STANDARD_INPUT else path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return facts.st_dev, facts.st_ino


def _unreadable(path: Path, error: OSError) -> SourceError:
    return SourceError(f"Cannot read {_name(path)}: {error.strerror}.", path=_name(path))


def _copy(path: Path, folder: Path) -> Path:
    name, source = _name(path), _open(path)
    number, target = tempfile.mkstemp(prefix=".source-", dir=folder)
    with os.fdopen(source, "rb"), os.fdopen(number, "wb") as writable:
        is_device = stat.S_ISCHR(os.fstat(source).st_mode) and not os.isatty(source)
        num_bytes = 0
        while chunk := _read(path, source):
            _write(name, writable.fileno(), chunk, folder)
            if is_device and num_bytes < _CHUNK <= num_bytes + len(chunk):
                form_of(name, Path(target))  # Refuses a device without an end, such as /dev/zero.
            num_bytes += len(chunk)
    return Path(target)


def _open(path: Path) -> int:
    try:
        return os.dup(0) if path == _STANDARD_INPUT else os.open(path, os.O_RDONLY)
    except OSError as error:
        raise _unreadable(path, error) from error


def _read(path: Path, source: int) -> bytes:
    try:
        return os.read(source, _CHUNK)
    except OSError as error:
        raise _unreadable(path, error) from error


def _write(name: Path, target: int, chunk: bytes, folder: Path) -> None:
    reason = "no space is left"
    try:
        fits = shutil.disk_usage(folder).free > _SPARE
        while fits and chunk:
            chunk = chunk[os.write(target, chunk) :]
    except OSError as error:
        fits, reason = False, str(error.strerror)
    if not fits:
        raise DataError(
            f"{name} can be read only once, and a copy of it does not fit into {folder}: {reason}; free some "
            "space, or save it to a file on a larger disk."
        )
