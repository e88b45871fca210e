"""Lists and copies files of remote storage, such as s3://bucket/reviews, through fsspec.

A remote file is read twice. Its beginning, and the end of a Parquet file, tell its format and its columns;
later the whole file is copied to the disk, read, and removed, one file at a time.
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
from typing import Any

from engine.artifact.storage import missing_package
from engine.errors import ConfigError, DataError, EngineError, SourceError

_SPARE = 256 << 20
"""The bytes of disk that a copy leaves free."""
_HEAD = 4 << 20
"""The number of bytes from the start of a remote file that tell the file's format."""
_TAIL = 1 << 16
"""The least number of bytes from the end of a remote file that are read, where a zip archive lists files."""
_PARQUET = b"PAR1"
_MARKS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "created")
"""The facts of a file, of any storage, that change when the file changes; the first that is there counts."""
_SECRETS = re.compile(r"(?<=://)[^/]*@")
"""Finds the name and the password of a user in an address."""


class Address(PosixPath):
    """Names a remote file in messages and in the account of the rows; no file of this disk.

    The password and the query of an address are left out, since the account is kept in the index.

    Example:
        >>> str(Address("s3://bucket/log.csv")), str(Address("https://me:pass@host/log.csv?key=secret"))
        ('s3://bucket/log.csv', 'https://host/log.csv')
    """

    def __new__(cls, *parts: str | os.PathLike[str]) -> Address:
        """Builds a path of the parts of the address that are no secret."""
        return super().__new__(cls, *map(_public, parts))

    if sys.version_info >= (3, 12):  # Paths are built by `__init__` from this version on.

        def __init__(self, *parts: str | os.PathLike[str]) -> None:
            super().__init__(*map(_public, parts))

    def __str__(self) -> str:
        """Returns the address with both slashes behind the scheme, of which a path keeps one."""
        scheme, colon, rest = super().__str__().partition(":/")
        return f"{scheme}://{rest}" if colon else scheme


def _public(part: str | os.PathLike[str]) -> str:
    text = _SECRETS.sub("", os.fspath(part))
    return text.partition("?")[0] if text.startswith("http") else text


@dataclass(frozen=True)
class RemoteFile:
    """Holds what is known of a remote file since the files were listed."""

    url: str
    size: int
    """The number of bytes of the file."""
    mark: str
    """A text that changes when the file changes; empty if the storage has none."""


def is_url(text: str) -> bool:
    """Tells whether a text is the address of remote storage, such as s3://bucket/reviews."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def names_at(url: str) -> list[str]:
    """Returns the names of the files and folders in a remote folder; empty if there is no such folder.

    Raises:
        ConfigError: the scheme is unknown, or the package that serves the scheme is missing.
        SourceError: the address cannot be read.
    """
    system, root = _open(url)
    with _reaching(url):
        try:
            return [path.rstrip("/").rpartition("/")[2] for path in system.ls(root, detail=False)]
        except (FileNotFoundError, NotADirectoryError):
            return []


def remote_files(url: str, is_wanted: Callable[[str], bool]) -> Iterator[RemoteFile]:
    """Yields the file at an address, or all files in the folder or of the pattern, sorted by name.

    A file in a folder is listed only if `is_wanted` is true of the file's path below the folder.

    Raises:
        ConfigError: the scheme is unknown, or the package that serves the scheme is missing.
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
    # Some programs write an empty file, whose name ends with a slash, for each folder.
    return {
        path: facts
        for path, facts in found.items()
        if not path.endswith("/") and is_wanted(path.removeprefix(folder).strip("/"))
    }


@contextmanager
def fetched(remote: RemoteFile, folder: Path) -> Iterator[Path]:
    """Copies a remote file to a folder, and yields the copy, which is removed at the end.

    Raises:
        SourceError: the file has changed since it was listed, is gone, or cannot be read.
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
    """Copies the beginning and the end of a remote file into a file of the same size with a hole between.

    The outline tells the format of the file, and the columns of a Parquet file. At least `head` bytes from
    the start are copied.

    Raises:
        SourceError: the file has changed since it was listed, is gone, or cannot be read.
    """
    system, path = _open(remote.url)
    size = remote.size

    def read(start: int, end: int) -> bytes:
        data: bytes = system.cat_file(path, start=start, end=end)
        # A server that cannot send a part of a file sends the whole file.
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
    """Replaces the bytes of an outline by a hole, so that the outline takes no space on the disk."""
    size = outline.stat().st_size
    os.truncate(outline, 0)
    os.truncate(outline, size)


def _new_file(folder: Path) -> Path:
    number, name = tempfile.mkstemp(prefix=".source-", dir=folder)
    os.close(number)
    return Path(name)


def _open(url: str) -> tuple[Any, str]:
    """Returns the file system of an address, and the path in the file system."""
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
    """Raises SourceError if a file is not as it was when the files were listed, or was copied in part."""
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
    """Converts any error of the remote storage to a SourceError; each package has its own errors."""
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
