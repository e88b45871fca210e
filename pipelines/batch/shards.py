"""Keeps recommendation lists in one file for each shard of reviewers, so that a killed run can be resumed.

    lists/
    |- progress.json                the build of the index, the settings, and the complete shards
    |- part-00000.parquet           the lists of the first shard of reviewers, and so on
    `- .part-00001.parquet.4711     a shard that process 4711 is writing, or was writing when it was killed

A process writes the lists of a shard to a file whose name begins with a dot. When the file of a shard is
complete, the process flushes the file to disk and renames the file; `progress.json` then records the shard. A
file whose name does not begin with a dot is always complete, and the lists of a shard are never in two files.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.artifact.files import flush
from engine.artifact.locks import remove_folder, take_lock
from engine.errors import ConfigError, DataError
from pipelines.batch.list_files import join_files, unwritable
from pipelines.work.output import whole_file

logger = logging.getLogger(__name__)

PROGRESS = "progress.json"
_VERSION = 1
_LOCK_SECONDS = 5.0
"""Seconds to wait for the lock, which child processes of a killed process hold for a moment."""


class Shard(NamedTuple):
    """Holds a part of the reviewers, whose recommendation lists are in one file."""

    number: int
    reviewer_rows: Sequence[int | str]
    """The rows of the reviewers in the shard; a `range` if lists are made for all reviewers. For a reviewer
    whom the index does not hold, the id stands for the row."""


class Shards:
    """Holds all shards of a run, in order, and records which shards have complete files.

    The directory of the shards is created if it does not exist, and is locked. The argument `work` describes
    a run as JSON values: the build of the index, the settings and the reviewers. A run can be resumed only by
    a run with an equal `work`. If only the build of the index differs, all lists are made anew. If other
    entries of `work` differ, all lists are made anew only if `overwrite` is true.

    Raises:
        ConfigError: the directory holds lists of another run, or other files.
        DataError: the directory cannot be written, or another process holds the lock on the directory.
    """

    def __init__(
        self,
        directory: Path,
        format: str,
        work: Mapping[str, Any],
        planned: Sequence[Shard],
        *,
        overwrite: bool = False,
    ) -> None:
        self.directory = directory
        self.planned = planned
        self._format = format
        self._work = json.loads(json.dumps(work))
        self._complete: dict[str, dict[str, int]] = {}
        self._noting = threading.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self.lock = self._take_lock()
            """The handle of the lock on the directory; a child process that holds the handle too keeps the
            lock until the child process ends."""
            try:
                self._go_on(overwrite)
            except (OSError, ConfigError):
                self.close()
                raise
        except OSError as error:
            raise unwritable(directory, error) from error

    def unfinished_path(self, shard: Shard) -> Path:
        """Returns the path of the hidden file into which a process writes an incomplete shard."""
        return self.directory / f".{self._path(shard).name}.{os.getpid()}"

    @property
    def num_reviewers(self) -> int:
        """Returns the number of reviewers in the shards that are complete."""
        return sum(entry["reviewers"] for entry in self._complete.values())

    @property
    def num_rows(self) -> int:
        """Returns the number of lines, one for each recommended movie, in the files of complete shards."""
        return sum(entry["rows"] for entry in self._complete.values())

    def missing(self) -> list[Shard]:
        """Returns the shards that still have to be made, because their file is missing or incomplete."""
        return [shard for shard in self.planned if not self._is_complete(shard)]

    def keep(self, shard: Shard, num_rows: int) -> None:
        """Renames the complete file of a shard to its final name, and records the shard in `progress.json`.

        Several threads may call `keep` at once. The argument `num_rows` is the number of lines in the file of
        the shard.

        Raises:
            DataError: the disk is full, or the directory does not exist any more.
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
        """Concatenates the files of all shards into one file at `path`, and removes the shards' directory.

        Raises:
            DataError: the file cannot be written; the files of the shards are kept.
        """
        with whole_file(path) as unfinished:
            join_files([self._path(shard) for shard in self.planned], unfinished, self._format)
        try:
            remove_folder(self.directory)
        except OSError as error:
            raise unwritable(self.directory, error) from error

    def close(self) -> None:
        """Releases the lock on the directory, so that other processes may write to the directory."""
        os.close(self.lock)

    def _path(self, shard: Shard) -> Path:
        return self.directory / f"part-{shard.number:05d}.{self._format}"

    def _is_complete(self, shard: Shard) -> bool:
        entry = self._complete.get(self._path(shard).name)
        try:
            return entry is not None and self._path(shard).stat().st_size == entry["bytes"]
        except FileNotFoundError:
            return False

    def _take_lock(self) -> int:
        ends = time.monotonic() + _LOCK_SECONDS
        while (handle := take_lock(self.directory)) is None:
            if time.monotonic() >= ends:
                raise DataError(
                    f"Another process is writing lists to {self.directory}; wait until it ends, or name "
                    "another --output"
                )
            time.sleep(0.05)
        return handle

    def _go_on(self, overwrite: bool) -> None:
        """Reads from `progress.json` which shards are complete, and removes files of incomplete shards."""
        progress = self.directory / PROGRESS
        if progress.is_file():
            if not self._continues(_read(progress), overwrite):
                self._begin_afresh(progress)
        elif strange := sorted(path.name for path in self.directory.iterdir() if path.name[:6] != ".part-"):
            raise ConfigError(
                f"Cannot write lists to {self.directory}: it holds other things ({strange[0]}); name a new "
                "or empty directory with --output"
            )
        for leftover in self.directory.glob(".part-*"):
            leftover.unlink(missing_ok=True)
        self._note()

    def _begin_afresh(self, progress: Path) -> None:
        """Removes the lists of an earlier run; `progress.json` goes last, so that no old list seems new."""
        for path in sorted(self.directory.glob("part-*")):
            path.unlink()
        progress.unlink()

    def _continues(self, noted: Mapping[str, Any], overwrite: bool) -> bool:
        """Takes over the complete shards of an earlier run; returns False if the run used another build.

        If `overwrite` is true, the method also returns False if the run had other settings or reviewers.

        Raises:
            ConfigError: the earlier run had other settings or reviewers, and `overwrite` is false.
        """
        work = noted.get("work", {})
        if work.get("build") != self._work.get("build") and {**work, "build": ""} == {
            **self._work,
            "build": "",
        }:
            logger.info("The index was built again since the lists were made: starting afresh")
            return False
        for name in dict.fromkeys([*work, *self._work]):
            if work.get(name) != self._work.get(name):
                if overwrite:
                    return False
                raise ConfigError(
                    f"{self.directory} holds lists that were begun with {_named(name, work)}, not with "
                    f"{_named(name, self._work)}; give the same again to go on, --overwrite to start "
                    "afresh, or name another --output"
                )
        self._complete = dict(noted["shards"])
        whole = {self._path(shard).name for shard in self.planned if self._is_complete(shard)}
        self._complete = {name: entry for name, entry in self._complete.items() if name in whole}
        return True

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
