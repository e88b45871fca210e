"""Locks files and folders, and removes the temporary folders of processes that were killed.

A lock belongs to the file handle through which a process took the lock. The operating system releases a lock
when the process that took the lock ends, even if the process is killed. A temporary folder that no process
has locked was left by a killed process.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import DataError

_PREFIX = ".engine-work-"
_NAME = re.compile(rf"{re.escape(_PREFIX)}[0-9a-f]{{16}}")
"""Matches the name of a temporary folder of the engine; the random part is so long that no folder of a user
has such a name."""


def take_lock(path: Path, flags: int = os.O_RDONLY) -> int | None:
    """Locks a file or folder; returns an open handle, and closing the handle releases the lock.

    Returns None if another process holds the lock on `path`, if nothing exists at `path`, or if another
    process has just removed or replaced the file or folder at `path`. The flags `flags` are passed to
    `os.open`.

    Raises:
        OSError: the path cannot be opened, or the file system has no locks.
    """
    try:
        handle = os.open(path, flags | os.O_NOFOLLOW, 0o644)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A lock on a path that was removed and made again would lock out nobody.
        if os.path.samestat(os.fstat(handle), path.lstat()):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """Makes a locked temporary folder, which is deleted when the `with` statement ends.

    The folder is made in `parent`, by default the system's folder for temporary files. The function also
    removes the temporary folders that killed processes left in `parent`.

    Raises:
        DataError: no folder can be made in `parent`.
    """
    try:
        place = Path(tempfile.gettempdir()) if parent is None else parent
        remove_leftovers(place)
        folder, handle = _make_folder(place)
    except OSError as error:
        where = "the system's folder for temporary files" if parent is None else str(parent)
        raise DataError(
            f"Cannot make a temporary folder in {where}: {error.strerror}; make room there, or "
            + ("name another folder in TMPDIR" if parent is None else "name another folder")
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def remove_leftovers(parent: Path) -> None:
    """Removes the temporary folders in `parent` whose processes have ended; no other folder is removed.

    A temporary folder stays if a process holds the folder's lock, or if the file system has no locks.
    """
    try:
        found = [path for path in parent.iterdir() if _NAME.fullmatch(path.name)]
    except OSError:
        return
    for path in found:
        try:
            handle = take_lock(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        if handle is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(handle)


def remove_folder(folder: Path) -> None:
    """Removes a folder; if the process is killed meanwhile, `remove_leftovers` can remove the rest.

    Raises:
        OSError: the folder cannot be renamed.
    """
    leftover = folder.with_name(_new_name())
    folder.rename(leftover)
    shutil.rmtree(leftover, ignore_errors=True)


def _new_name() -> str:
    return f"{_PREFIX}{secrets.token_hex(8)}"


def _make_folder(parent: Path) -> tuple[Path, int | None]:
    """Makes and locks a folder; returns the folder's path and the handle of the lock.

    The handle of the lock is None if the file system has no locks.
    """
    while True:
        path = parent / _new_name()
        path.mkdir(mode=0o700)
        try:
            handle = take_lock(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return path, None
        if handle is not None:
            return path, handle
        # Another process can mistake the new folder for a leftover before the lock is taken, and remove the
        # folder.
