"""Opens the folder to which recommendation lists are written: local, or remote like s3://bucket/lists."""

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
from pipelines.inputs.remote import is_url

_LOCK_SECONDS = 5.0
"""The number of seconds to wait for the lock on the output; after a process is killed, its child processes
hold the lock for a moment."""
_MOST_BYTES = 1 << 28
"""The largest number of bytes that are read from a remote file; only `progress.json`, a smaller file, is
read."""


class Place(Protocol):
    """Describes an output: a local or remote folder, in which a file becomes visible when it is complete."""

    lock: int
    """The file descriptor of the lock on the output; a child process that inherits the descriptor keeps the
    output locked as long as the child runs."""

    def sizes(self) -> dict[str, int]:
        """Returns the size of every file in the output, in bytes, with the names of the files as keys."""

    def read(self, name: str) -> bytes:
        """Returns the content of the file `name` in the output."""

    def unfinished(self, name: str) -> Path:
        """Returns the path of a local file to which the content of the file `name` is written first."""

    def publish(self, unfinished: Path, name: str) -> None:
        """Moves a complete local file, already flushed to disk, into the output, and names it `name`."""

    def remove(self, name: str) -> None:
        """Removes the file `name` from the output; does nothing if the file does not exist."""

    def close(self) -> None:
        """Releases the lock, so that other processes may write to the output."""


class Folder:
    """Holds the files of an output in a local folder, which is created if it is missing, and is locked.

    Raises:
        DataError: another process has locked the folder.
        OSError: the folder cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.lock = self._take_lock()

    def sizes(self) -> dict[str, int]:
        """Returns the size of every file in the output, in bytes, with the names of the files as keys."""
        return {path.name: path.lstat().st_size for path in self._directory.iterdir()}

    def read(self, name: str) -> bytes:
        """Returns the content of the file `name` in the output."""
        return (self._directory / name).read_bytes()

    def unfinished(self, name: str) -> Path:
        """Returns the path of a hidden file in the folder; the path ends with the id of this process."""
        return self._directory / f".{name}.{os.getpid()}"

    def publish(self, unfinished: Path, name: str) -> None:
        """Gives a complete file the name `name`, and flushes the folder to disk."""
        unfinished.replace(self._directory / name)
        flush(self._directory)

    def remove(self, name: str) -> None:
        """Removes the file `name` from the output; does nothing if the file does not exist."""
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
    """Holds the files of an output in a folder of remote storage.

    A remote folder cannot be locked, so two processes must not write to a remote folder at the same time.
    Incomplete files are in a temporary folder on this machine.

    Raises:
        ArtifactError: the remote storage cannot be reached.
        ConfigError: the scheme of the URL is unknown; or the Python package for the scheme is not installed.
        DataError: no temporary folder can be created on this machine.
    """

    def __init__(self, url: str) -> None:
        self._storage = Storage(url)
        self._stack = ExitStack()
        self._folder = self._stack.enter_context(temporary_folder())
        self.lock = os.open(self._folder, os.O_RDONLY)
        self._stack.callback(os.close, self.lock)

    def sizes(self) -> dict[str, int]:
        """Returns the size of every file in the output, in bytes, with the names of the files as keys."""
        return self._storage.sizes()

    def read(self, name: str) -> bytes:
        """Returns the content of the file `name` in the output."""
        return self._storage.read(name, _MOST_BYTES)

    def unfinished(self, name: str) -> Path:
        """Returns the path of the file `name` in the temporary folder on this machine."""
        return self._folder / name

    def publish(self, unfinished: Path, name: str) -> None:
        """Copies a complete local file to the remote folder, and removes the local file."""
        with unfinished.open("rb") as source:
            self._storage.write(name, source)
        unfinished.unlink()

    def remove(self, name: str) -> None:
        """Removes the file `name` from the remote folder."""
        self._storage.remove(name)

    def close(self) -> None:
        """Removes the temporary folder on this machine."""
        self._stack.close()


def place_of(output: Path | str) -> Place:
    """Opens the output that the option `--output` names: a local folder, or a URL of remote storage.

    Raises:
        EngineError: the output cannot be written.
    """
    if is_url(output):
        return RemoteFolder(str(output))
    try:
        return Folder(Path(output))
    except OSError as error:
        raise unwritable(Path(output), error) from error
