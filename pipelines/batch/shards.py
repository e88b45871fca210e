"""Keeps lists in a row of files, shard by shard, so that a killed run goes on where it stopped.

    lists/
    |- progress.json                the build, the settings, and the shards that are complete
    |- part-00000.parquet           the lists of the first reviewers, and so on
    `- .part-00001.parquet.4711     a shard that process 4711 is writing, or was writing when it was killed

A shard is written under the hidden name, flushed, renamed, and only then noted: so each shard is there once.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.artifact.writer import flush
from engine.errors import ConfigError, DataError
from pipelines.batch.list_files import join_files, unwritable

PROGRESS = "progress.json"
_VERSION = 1


class Shard(NamedTuple):
    """A part of the reviewers, whose lists are one file."""

    number: int
    reviewer_rows: Sequence[int]
    """A range where everyone gets lists."""


class Shards:
    """The planned shards of one run, in order, and what is known of their files.

    The directory is created if it does not exist. `work` tells this run from others, as JSON holds it: by the
    build, the settings and the reviewers.

    Raises:
        ConfigError: the directory holds lists of another run, or other files.
        DataError: the directory cannot be written, or another process is writing to it.
    """

    def __init__(
        self, directory: Path, format: str, work: Mapping[str, Any], planned: Sequence[Shard]
    ) -> None:
        self.directory = directory
        self.planned = planned
        self._format = format
        self._work = json.loads(json.dumps(work))
        self._complete: dict[str, dict[str, int]] = {}
        self._noting = threading.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = self._take_lock()
            try:
                self._go_on()
            except (OSError, ConfigError):
                self.close()
                raise
        except OSError as error:
            raise unwritable(directory, error) from error

    def unfinished_path(self, shard: Shard) -> Path:
        """Returns where this process and its children write a shard until it is whole."""
        return self.directory / f".{self._path(shard).name}.{os.getpid()}"

    @property
    def num_reviewers(self) -> int:
        """Returns the number of reviewers whose lists have been written."""
        return sum(entry["reviewers"] for entry in self._complete.values())

    @property
    def num_rows(self) -> int:
        """Returns the number of lines that have been written."""
        return sum(entry["rows"] for entry in self._complete.values())

    def missing(self) -> list[Shard]:
        """Returns the shards that were not written whole, or whose files are gone or cut short."""
        return [shard for shard in self.planned if not self._is_complete(shard)]

    def keep(self, shard: Shard, num_rows: int) -> None:
        """Renames the file at `unfinished_path` to the shard's own name, and notes it; threads may call this.

        Raises:
            DataError: the disk is full, or the directory is gone.
        """
        path, unfinished = self._path(shard), self.unfinished_path(shard)
        try:
            with self._noting:
                size = unfinished.stat().st_size
                unfinished.replace(path)
                entry = {"reviewers": len(shard.reviewer_rows), "rows": num_rows, "bytes": size}
                self._complete[path.name] = entry
                self._note()
        except OSError as error:
            raise unwritable(self.directory, error) from error

    def join(self, path: Path) -> None:
        """Makes one file of all shards, in their order, and removes the shards.

        Raises:
            DataError: the file cannot be written; the shards are still there.
        """
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            join_files([self._path(shard) for shard in self.planned], unfinished, self._format)
            unfinished.replace(path)
            flush(path.parent)
            shutil.rmtree(self.directory)
        except OSError as error:
            raise unwritable(path, error) from error
        finally:
            unfinished.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets other processes write to the directory."""
        os.close(self._lock)

    def _path(self, shard: Shard) -> Path:
        return self.directory / f"part-{shard.number:05d}.{self._format}"

    def _is_complete(self, shard: Shard) -> bool:
        entry = self._complete.get(self._path(shard).name)
        try:
            return entry is not None and self._path(shard).stat().st_size == entry["bytes"]
        except FileNotFoundError:
            return False

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
        """Reads which shards are complete, and removes the files of unfinished ones."""
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
        """Checks that the noted run is this one, and takes over which of its shards are complete."""
        work = noted.get("work", {})
        for name in dict.fromkeys([*work, *self._work]):
            if work.get(name) != self._work.get(name):
                raise ConfigError(
                    f"{self.directory} holds lists that were begun with {_named(name, work)}, not with "
                    f"{_named(name, self._work)}; give the same again to go on, or name another --output"
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


def _named(name: str, work: Mapping[str, Any]) -> str:
    value = work.get(name)
    if value is None:
        return f"no {name}"
    return f"{name} {value if isinstance(value, str) else json.dumps(value)}"
