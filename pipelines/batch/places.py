"""Opens the place to which lists are written: a folder, or remote storage such as s3://bucket/lists."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from engine.artifact.files import flush
from engine.artifact.locks import take_lock, temporary_folder
from engine.artifact.storage import Storage
from engine.errors import DataError
from pipelines.batch.list_files import unwritable

_LOCK_SECONDS = 5.0
"""Seconds to wait for the lock, which child processes of a killed process hold for a moment."""
_MOST_BYTES = 1 << 28
"""The most bytes of a file that is read as a whole; a larger file is none of ours."""


class Place(Protocol):
    """Holds files by name; a file is there as a whole or not at all."""

    lock: int
    """The handle of the lock on the place; a child process that holds the handle too keeps the lock until the
    child process ends."""

    def sizes(self) -> dict[str, int]:
        """Returns the number of bytes of every file, by name."""

    def read(self, name: str) -> bytes:
        """Returns the bytes of a file."""

    def unfinished(self, name: str) -> Path:
        """Returns the path of a file on this machine, into which a process writes before `publish`."""

    def publish(self, unfinished: Path, name: str) -> None:
        """Makes a complete file, which is flushed to disk, the file of a name."""

    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""

    def close(self) -> None:
        """Releases the lock, so that other processes may write."""


class Folder:
    """Holds files in a folder, which is created if it does not exist, and is locked.

    Raises:
        DataError: another process holds the lock on the folder.
        OSError: the folder cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.lock = self._take_lock()

    def sizes(self) -> dict[str, int]:
        """Returns the number of bytes of every file, by name."""
        return {path.name: path.lstat().st_size for path in self._directory.iterdir()}

    def read(self, name: str) -> bytes:
        """Returns the bytes of a file."""
        return (self._directory / name).read_bytes()

    def unfinished(self, name: str) -> Path:
        """Returns the path of a hidden file, whose name holds the number of this process."""
        return self._directory / f".{name}.{os.getpid()}"

    def publish(self, unfinished: Path, name: str) -> None:
        """Renames a complete file."""
        unfinished.replace(self._directory / name)
        flush(self._directory)

    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""
        (self._directory / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Releases the lock on the folder."""
        os.close(self.lock)

    def _take_lock(self) -> int:
        ends = time.monotonic() + _LOCK_SECONDS
        while (handle := take_lock(self._directory)) is None:
            if time.monotonic() >= ends:
                raise DataError(
                    f"Another process is writing lists to {self._directory}; wait until it ends, or name "
                    "another --output"
                )
            time.sleep(0.05)
        return handle


class RemoteFolder:
    """Holds files in a folder of remote storage, to which only one process may write at a time.

    Nothing locks the folder. Unfinished files are in a temporary folder on this machine.

    Raises:
        ArtifactError: the storage cannot be reached.
        ConfigError: the scheme of the URL is unknown, or the package that serves it is missing.
        DataError: no temporary folder can be made.
    """

    def __init__(self, url: str) -> None:
        self._storage = Storage(url)
        self._stack = ExitStack()
        self._folder = self._stack.enter_context(temporary_folder())
        self.lock = os.open(self._folder, os.O_RDONLY)
        self._stack.callback(os.close, self.lock)

    def sizes(self) -> dict[str, int]:
        """Returns the number of bytes of every file, by name."""
        return self._storage.sizes()

    def read(self, name: str) -> bytes:
        """Returns the bytes of a file."""
        return self._storage.read(name, _MOST_BYTES)

    def unfinished(self, name: str) -> Path:
        """Returns the path of a file in the temporary folder."""
        return self._folder / name

    def publish(self, unfinished: Path, name: str) -> None:
        """Copies a complete file to the storage."""
        with unfinished.open("rb") as source:
            self._storage.write(name, source)
        unfinished.unlink()

    def remove(self, name: str) -> None:
        """Removes a file."""
        self._storage.remove(name)

    def close(self) -> None:
        """Removes the temporary folder."""
        self._stack.close()


def place_of(output: Path | str) -> Place:
    """Opens the place that `--output` names: a folder, or a URL of remote storage.

    Raises:
        EngineError: the place cannot be written to.
    """
    if is_url(output):
        return RemoteFolder(str(output))
    try:
        return Folder(Path(output))
    except OSError as error:
        raise unwritable(Path(output), error) from error


def is_url(output: Path | str) -> bool:
    """Tells whether `--output` names remote storage."""
    return isinstance(output, str) and "://" in output
