"""Lists and copies files of remote storage, such as s3://bucket/reviews, through fsspec.

To recognise the format and the columns of a remote file, only the beginning and the end of the remote file
are read. To read the rows of a remote file, the whole remote file is copied to the disk, and the copy is
removed after reading. Remote files are copied one after another.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PosixPath
from typing import Any, TypeGuard

from engine.artifact.storage import missing_package
from engine.errors import ConfigError, DataError, EngineError, SourceError

_SPARE = 256 << 20
"""When a remote file is copied, at least this number of bytes must stay free on the disk."""
_HEAD = 4 << 20
"""The number of bytes at the start of a remote file that are read to recognise the format of the file."""
_TAIL = 1 << 16
"""The least number of bytes at the end of a remote file that are read, because a zip archive lists its files
at its end."""
_PARQUET = b"PAR1"
_MARKS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "created")
"""The names of properties that change when a remote file changes; the first property in this order that the
storage knows is compared."""
_SECRETS = re.compile(r"(?<=://)[^/]*@")
"""Matches the name and the password of a user in an address."""


class Address(PosixPath):
    """Names a remote file in messages and in the counts of read rows; the name is no path on this disk.

    An `Address` leaves out the password and the query of the remote address. The index stores the names of
    the review files that were read, and a password must not be stored in the index.

    Example:
        >>> str(Address("s3://bucket/log.csv")), str(Address("https://me:pass@host/log.csv?key=secret"))
        ('s3://bucket/log.csv', 'https://host/log.csv')
    """

    def __new__(cls, *parts: str | os.PathLike[str]) -> Address:
        """Builds a path from a remote address, and leaves out the password and the query of the address."""
        return super().__new__(cls, *map(_public, parts))

    if sys.version_info >= (3, 12):  # From Python 3.12 on, `__init__` builds paths.

        def __init__(self, *parts: str | os.PathLike[str]) -> None:
            super().__init__(*map(_public, parts))

    def __str__(self) -> str:
        """Returns the address with two slashes after the scheme; the parent class would return one slash."""
        scheme, colon, rest = super().__str__().partition(":/")
        return f"{scheme}://{rest}" if colon else scheme


def _public(part: str | os.PathLike[str]) -> str:
    text = _SECRETS.sub("", os.fspath(part))
    return text.partition("?")[0] if text.startswith("http") else text


@dataclass(frozen=True)
class RemoteFile:
    """Holds the address and size of a remote file, and a text `mark` that shows whether the file has changed.

    The storage reported the fields `size` and `mark` when `remote_files` listed the remote file.
    """

    url: str
    size: int
    """The number of bytes of the remote file."""
    mark: str
    """A text from the storage, such as an ETag, that changes when the remote file changes; empty if the
    storage gives no such text."""


def is_url(text: Path | str) -> TypeGuard[str]:
    """Tells whether a text is the address of remote storage, such as s3://bucket/reviews."""
    return isinstance(text, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def names_at(url: str) -> list[str]:
    """Returns the names of files and folders in a remote folder; no names if the folder does not exist.

    Raises:
        ConfigError: the scheme of the address is unknown, or the Python package for the scheme is not
            installed.
        SourceError: the address cannot be read.
    """
    system, root = _open(url)
    with _reaching(url):
        try:
            return [path.rstrip("/").rpartition("/")[2] for path in system.ls(root, detail=False)]
        except (FileNotFoundError, NotADirectoryError):
            return []


def remote_files(url: str, is_wanted: Callable[[str], bool]) -> Iterator[RemoteFile]:
    """Yields the remote files at an address, sorted by path.

    The address `url` may be the address of a file, of a folder, or a pattern such as s3://bucket/*.csv. A
    folder stands for all files below the folder. The function `is_wanted` gets the path of a file, relative
    to the folder, and tells whether to yield the file. For a file that matches a pattern, `is_wanted` gets
    the name of the file. If `url` is the address of a single file, the file is yielded without asking
    `is_wanted`.

    Raises:
        ConfigError: the scheme of the address is unknown, or the Python package for the scheme is not
            installed.
        SourceError: the address cannot be read.
    """
    url = url.rstrip("/")
    system, root = _open(url)
    prefix = url.removesuffix(root)
    with _reaching(url):
        try:
            facts = system.info(root)
        except FileNotFoundError:
            found = _matching(system, root, is_wanted)
        else:
            found = _below(system, root, is_wanted) if facts["type"] == "directory" else {root: facts}
        for path in sorted(found):
            if found[path].get("size") is None:
                raise SourceError(
                    f"{Address(url)} does not tell the size of its files; fetch them, and give the copies.",
                    path=Address(url),
                )
            yield RemoteFile(prefix + path, int(found[path]["size"]), _mark_of(found[path]))


def _matching(system: Any, pattern: str, is_wanted: Callable[[str], bool]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for path, facts in system.glob(pattern, detail=True).items():
        if facts["type"] == "directory":
            found |= _below(system, path, is_wanted)
        elif is_wanted(path.rpartition("/")[2]):
            found[path] = facts
    return found


def _below(system: Any, folder: str, is_wanted: Callable[[str], bool]) -> dict[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = system.find(folder, detail=True)
    # Some programs write, for each folder, an empty file whose name ends with a slash.
    return {
        path: facts
        for path, facts in found.items()
        if not path.endswith("/") and is_wanted(path.removeprefix(folder).strip("/"))
    }


@contextmanager
def fetched(remote: RemoteFile, folder: Path) -> Iterator[Path]:
    """Copies a remote file to a folder, and yields the copy; deletes the copy when the `with` block ends.

    Raises:
        SourceError: the remote file has changed or disappeared since files were listed, or cannot be read.
        DataError: the copy does not fit on the disk.
    """
    name = Address(remote.url)
    if shutil.disk_usage(folder).free < remote.size + _SPARE:
        raise _full(name, folder, "no space is left")
    file = _new_file(folder)
    try:
        system, path = _open(remote.url)
        with _reaching(remote.url, folder):
            _require_same(remote, system.info(path))
            system.get_file(path, str(file))
            system.invalidate_cache()
            _require_same(remote, system.info(path), file.stat().st_size)
        yield file
    finally:
        file.unlink(missing_ok=True)


def fetch_outline(remote: RemoteFile, folder: Path, head: int = 0) -> Path:
    """Makes an outline of a remote file: a file of equal size with just the beginning and the end copied.

    The copied beginning and end are enough to recognise the format of the remote file, and the columns of a
    Parquet file. At least `head` bytes are copied from the beginning of the remote file.

    Raises:
        SourceError: the remote file has changed or disappeared since files were listed, or cannot be read.
    """
    system, path = _open(remote.url)
    size = remote.size

    def read(start: int, end: int) -> bytes:
        data: bytes = system.cat_file(path, start=start, end=end)
        # A server that cannot send a range of bytes sends the whole file.
        return data[start:end] if len(data) == size != end - start else data

    with _reaching(remote.url, folder):
        system.invalidate_cache()
        _require_same(remote, system.info(path))
        first = read(0, min(size, max(_HEAD, head)))
        last = read(max(len(first), size - _TAIL), size) if len(first) < size else b""
        if first.startswith(_PARQUET) and last:
            length = int.from_bytes(last[-8:-4], "little") + 8
            if length > len(last):
                last = read(max(len(first), size - length), size)
        file = _new_file(folder)
        with file.open("r+b") as outline:
            outline.write(first)
            outline.truncate(size)
            outline.seek(size - len(last))
            outline.write(last)
    return file


def empty(outline: Path) -> None:
    """Frees the disk space of a file that `fetch_outline` made, without changing the size of the file.

    All bytes of the file become zeros, which most file systems do not store on the disk.
    """
    size = outline.stat().st_size
    os.truncate(outline, 0)
    os.truncate(outline, size)


def _new_file(folder: Path) -> Path:
    number, name = tempfile.mkstemp(prefix=".source-", dir=folder)
    os.close(number)
    return Path(name)


def _open(url: str) -> tuple[Any, str]:
    """Returns the fsspec file system of an address, and the path of the address in the file system."""
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(url)
    except ImportError as error:
        raise missing_package(str(Address(url)), error) from error
    except ValueError as error:
        raise ConfigError(f"{Address(url)} does not name storage that can be read: {error}") from error
    return system, path


def _mark_of(facts: Mapping[str, Any]) -> str:
    value = next((facts[name] for name in _MARKS if facts.get(name)), "")
    return str(value.timestamp() if isinstance(value, datetime) else value)


def _require_same(remote: RemoteFile, facts: Mapping[str, Any], num_copied: int | None = None) -> None:
    """Raises SourceError if a remote file has changed since files were listed, or was copied only in part."""
    mark, size = _mark_of(facts), facts["size"] if num_copied is None else num_copied
    if size != remote.size or (mark and remote.mark and mark != remote.mark):
        raise SourceError(
            f"{Address(remote.url)} has changed since the files were listed; give the same command again "
            "when nobody writes to it.",
            path=Address(remote.url),
        )


def _full(name: Path, folder: Path, reason: str | None) -> DataError:
    return DataError(
        f"A copy of {name} does not fit into {folder}: {reason}; free some space, or name a folder on a "
        "larger disk in TMPDIR."
    )


@contextmanager
def _reaching(url: str, folder: Path | None = None) -> Iterator[None]:
    """Converts all errors of remote storage to SourceError, because each package has errors of its own."""
    name = Address(url)
    try:
        yield
    except EngineError:
        raise
    except FileNotFoundError as error:
        where = f"There is no file {name}; check the address."
        if folder is not None:
            where = f"{name} is gone since the files were listed; give the same command again."
        raise SourceError(where, path=name) from error
    except Exception as error:
        if folder is not None and isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(name, folder, error.strerror) from error
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise SourceError(
            f"Cannot read {name}: {reason}; check the address, the credentials and the network.", path=name
        ) from error
