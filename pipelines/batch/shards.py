"""Lists written as a row of files, shard by shard, so that a work that was killed goes on where it was.

    lists/
    |- progress.json                of which build, by which settings, and which shards are complete
    |- part-00000.parquet           the lists of the first reviewers, and so on
    `- .part-00001.parquet.4711     a shard that is being written, or was when the work was killed

A shard gets its name when it is whole and on disk, and only then is it noted: so each is there once.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import ConfigError, DataError
from pipelines.batch.list_files import join_files, unwritable
from pipelines.work.output import flush

PROGRESS = "progress.json"
_VERSION = 1


class Shards:
    """The files of one work, and what is known of them.

    Args:
        directory: where they go; made if it is not there.
        format: one of `FORMATS`.
        work: what makes the work the one it is, as JSON holds it: the build, the settings, how many shards.

    Raises:
        ConfigError: the directory holds another work, or other things.
        DataError: it cannot be written, or another process is writing to it.
    """

    def __init__(self, directory: Path, format: str, work: Mapping[str, Any]) -> None:
        self.directory = directory
        self._format = format
        self._work = json.loads(json.dumps(work))
        self._complete: dict[str, dict[str, int]] = {}
        self._noting = threading.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = self._take_lock()
        except OSError as error:
            raise unwritable(directory, error) from error
        try:
            self._go_on()
        except OSError as error:
            self.close()
            raise unwritable(directory, error) from error
        except ConfigError:
            self.close()
            raise

    def path(self, shard: int) -> Path:
        """The file of a shard once it is whole."""
        return self.directory / f"part-{shard:05d}.{self._format}"

    def unfinished_path(self, shard: int) -> Path:
        """Where this process and its children write a shard until it is whole."""
        return self.directory / f".{self.path(shard).name}.{os.getpid()}"

    @property
    def num_reviewers(self) -> int:
        """For how many reviewers lists have been written."""
        return sum(entry["reviewers"] for entry in self._complete.values())

    @property
    def num_rows(self) -> int:
        """How many lines have been written."""
        return sum(entry["rows"] for entry in self._complete.values())

    def is_complete(self, shard: int) -> bool:
        """Whether a shard was written whole, and still is there."""
        entry = self._complete.get(self.path(shard).name)
        try:
            return entry is not None and self.path(shard).stat().st_size == entry["bytes"]
        except FileNotFoundError:
            return False

    def keep(self, shard: int, num_reviewers: int, num_rows: int) -> None:
        """Puts a shard that has been written at `unfinished_path` in its place, and notes it; threads may.

        Raises:
            DataError: the disk is full, or the directory is gone.
        """
        path, unfinished = self.path(shard), self.unfinished_path(shard)
        try:
            with self._noting:
                size = unfinished.stat().st_size
                unfinished.replace(path)
                self._complete[path.name] = {"reviewers": num_reviewers, "rows": num_rows, "bytes": size}
                self._note()
        except OSError as error:
            raise unwritable(self.directory, error) from error

    def join(self, shards: Sequence[int], path: Path) -> None:
        """Makes one file of the shards, in their order, and removes them.

        Raises:
            DataError: the file cannot be written; the shards are still there.
        """
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        parts = [self.path(shard) for shard in shards]
        try:
            join_files(parts, unfinished, self._format)
            unfinished.replace(path)
            flush(path.parent)
            shutil.rmtree(self.directory)
        except OSError as error:
            raise unwritable(path, error) from error
        finally:
            unfinished.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets others write to the directory."""
        os.close(self._lock)

    def _take_lock(self) -> int:
        handle = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise DataError(
                f"Another process is writing lists to {self.directory}; wait until it ends, or name another "
                "--output"
            ) from error
        return handle

    def _go_on(self) -> None:
        progress = self.directory / PROGRESS
        if progress.is_file():
            self._check(_read(progress))
        elif strange := sorted(path.name for path in self.directory.iterdir() if path.name[:6] != ".part-"):
            raise ConfigError(
                f"Cannot write lists to {self.directory}: it holds other things ({strange[0]}); name a new "
                "or empty directory with --output"
            )
        for leftover in self.directory.glob(".part-*"):
            leftover.unlink(missing_ok=True)
        self._note()

    def _check(self, noted: Mapping[str, Any]) -> None:
        work = noted.get("work", {})
        for name in dict.fromkeys([*work, *self._work]):
            if work.get(name) != self._work.get(name):
                raise ConfigError(
                    f"{self.directory} holds lists that were begun with {_said(name, work)}, not with "
                    f"{_said(name, self._work)}; give the same again to go on, or name another --output"
                )
        self._complete = dict(noted["shards"])

    def _note(self) -> None:
        noted = {"format_version": _VERSION, "work": self._work, "shards": self._complete}
        unfinished = self.directory / f".part-{PROGRESS}"
        unfinished.write_text(json.dumps(noted, indent=1) + "\n", encoding="utf-8")
        flush(unfinished)
        unfinished.replace(self.directory / PROGRESS)
        flush(self.directory)


def _read(progress: Path) -> dict[str, Any]:
    try:
        noted: dict[str, Any] = json.loads(progress.read_bytes())
        if noted["format_version"] == _VERSION and isinstance(noted["shards"], dict):
            return noted
    except (ValueError, KeyError, TypeError):
        pass
    raise ConfigError(
        f"{progress} does not say how far the lists beside it are; remove {progress.parent}, or name another "
        "--output"
    )


def _said(name: str, work: Mapping[str, Any]) -> str:
    value = work.get(name)
    return (
        f"no {name}" if value is None else f"{name} {value if isinstance(value, str) else json.dumps(value)}"
    )
