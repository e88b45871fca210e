"""Keeps one file of lists for each shard (a part of the reviewers), so that a killed run can be resumed.

    lists/
    |- progress.json                the build of the index, the settings, and the complete shards
    |- part-00000.parquet           the lists of the first shard of reviewers, and so on
    `- .part-00001.parquet.4711     a shard that process 4711 is writing, or was writing when it was killed

A process first writes the lists of a shard to a file whose name begins with a dot. When a shard's file is
complete, the file is flushed to disk, renamed to its final name without a dot, and recorded in
`progress.json`. Because only complete files are renamed, a file without a dot is always complete. Because a
shard has only one final name, no shard has two complete files. If the output is remote storage, a shard's
file is written to a temporary folder on this machine, and copied to the remote storage when the file is
complete.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.artifact.files import flush
from engine.artifact.locks import remove_folder
from engine.errors import ConfigError, EngineError
from pipelines.batch.list_files import join_files, unwritable
from pipelines.batch.places import place_of
from pipelines.work.output import whole_file

logger = logging.getLogger(__name__)

PROGRESS = "progress.json"
_VERSION = 1


class Shard(NamedTuple):
    """Describes a shard: a part of the reviewers, whose recommendation lists are in one file."""

    number: int
    reviewer_rows: Sequence[int | str]
    """The rows of the reviewers in the shard, as a `range` if lists are made for all reviewers. A reviewer
    whom the index does not hold has no row; the sequence holds the reviewer's id instead."""


class Shards:
    """Holds all shards of a run, and records which shards are complete, so that a later run can resume.

    The directory of the shards, which may be a URL of remote storage, is created if it does not exist; a
    local directory is locked. The argument `work` describes a run as JSON values: the build of the index, the
    settings and the reviewers. If an earlier run in the directory had the same build of the index, settings
    and reviewers, the complete shards of the earlier run are kept. If an earlier run had the same settings
    and reviewers but another build of the index, all lists are made anew. If an earlier run had other
    settings or reviewers, the result depends on `overwrite`: with `overwrite`, all lists are made anew;
    without `overwrite`, the run is refused.

    Raises:
        ArtifactError: remote storage cannot be reached.
        ConfigError: the directory holds files that no run made; or the directory holds lists of a run with
            other settings or reviewers, and `overwrite` is False.
        DataError: the directory cannot be written; or another process has locked the directory.
    """

    def __init__(
        self,
        directory: Path | str,
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
        self._place = place_of(directory)
        self.lock = self._place.lock
        """The file descriptor of the lock on the directory; a child process that inherits the descriptor
        keeps the directory locked as long as the child runs."""
        try:
            self._sizes = self._place.sizes()
            self._go_on(overwrite)
        except OSError as error:
            self.close()
            raise unwritable(directory, error) from error
        except EngineError:
            self.close()
            raise

    def unfinished_path(self, shard: Shard) -> Path:
        """Returns the path of the hidden file to which a process writes the lists of a shard."""
        return self._place.unfinished(self._name(shard))

    @property
    def num_reviewers(self) -> int:
        """Returns how many reviewers the complete shards have together."""
        return sum(entry["reviewers"] for entry in self._complete.values())

    @property
    def num_rows(self) -> int:
        """Returns how many lines (one for each recommended movie) the files of complete shards have."""
        return sum(entry["rows"] for entry in self._complete.values())

    def missing(self) -> list[Shard]:
        """Returns the shards whose lists still have to be made."""
        return [shard for shard in self.planned if not self._is_complete(shard)]

    def keep(self, shard: Shard, num_rows: int) -> None:
        """Gives the complete file of a shard its final name, and records the shard in `progress.json`.

        Several threads may call `keep` at the same time. The argument `num_rows` is the number of lines in
        the shard's file.

        Raises:
            DataError: no disk space is left; or the directory was removed.
        """
        name, unfinished = self._name(shard), self.unfinished_path(shard)
        try:
            with self._noting:
                size = self._sizes[name] = unfinished.stat().st_size
                self._place.publish(unfinished, name)
                entry = {"reviewers": len(shard.reviewer_rows), "rows": num_rows, "bytes": size}
                self._complete[name] = entry
                self._note()
        except OSError as error:
            raise unwritable(self.directory, error) from error

    def write(self, shard: Shard, content: bytes, num_rows: int) -> None:
        """Writes `content` to a shard's file, flushes the file to disk, and keeps the shard as `keep` does.

        Raises:
            DataError: no disk space is left; or the directory was removed.
        """
        unfinished = self.unfinished_path(shard)
        try:
            unfinished.write_bytes(content)
            flush(unfinished)
        except OSError as error:
            raise unwritable(self.directory, error) from error
        self.keep(shard, num_rows)

    def join(self, path: Path) -> None:
        """Joins the files of all shards to one file at `path`, and removes the directory of the shards.

        Raises:
            DataError: the joined file cannot be written. The files of the shards are kept.
        """
        folder = Path(self.directory)
        with whole_file(path) as unfinished:
            join_files([folder / self._name(shard) for shard in self.planned], unfinished, self._format)
        try:
            remove_folder(folder)
        except OSError as error:
            raise unwritable(self.directory, error) from error

    def close(self) -> None:
        """Releases the lock, so that other processes may write to the directory."""
        self._place.close()

    def _name(self, shard: Shard) -> str:
        return f"part-{shard.number:05d}.{self._format}"

    def _is_complete(self, shard: Shard) -> bool:
        name = self._name(shard)
        return name in self._complete and self._sizes.get(name) == self._complete[name]["bytes"]

    def _go_on(self, overwrite: bool) -> None:
        """Resumes an earlier run in the directory or begins anew, and removes files of incomplete shards."""
        if PROGRESS in self._sizes:
            if not self._continues(self._read_progress(), overwrite):
                self._begin_afresh()
        elif strange := sorted(name for name in self._sizes if name[:6] != ".part-"):
            raise ConfigError(
                f"Cannot write lists to {self.directory}: it holds other things ({strange[0]}); name a new "
                "or empty directory with --output"
            )
        for name in self._sizes:
            if name.startswith(".part-"):
                self._place.remove(name)
        self._note()

    def _begin_afresh(self) -> None:
        """Removes the lists of an earlier run and then `progress.json`, so that no old list counts as new."""
        for name in sorted(self._sizes):
            if name.startswith("part-"):
                self._place.remove(name)
                del self._sizes[name]
        self._place.remove(PROGRESS)

    def _read_progress(self) -> dict[str, Any]:
        try:
            noted: dict[str, Any] = json.loads(self._place.read(PROGRESS))
            if noted["format_version"] == _VERSION and isinstance(noted["shards"], dict):
                return noted
        except (ValueError, KeyError, TypeError):
            pass
        raise ConfigError(
            f"{PROGRESS} in {self.directory} does not say how far the lists beside it are; remove "
            f"{self.directory}, or name another --output"
        )

    def _continues(self, noted: Mapping[str, Any], overwrite: bool) -> bool:
        """Takes over the complete shards of an earlier run; returns False if all lists must be made anew.

        All lists of this run must be made anew in two cases: the earlier run used another build of the index;
        or the earlier run had other settings or reviewers, and `overwrite` is True.

        Raises:
            ConfigError: the earlier run had other settings or reviewers, and `overwrite` is False.
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
        whole = {self._name(shard) for shard in self.planned if self._is_complete(shard)}
        self._complete = {name: entry for name, entry in self._complete.items() if name in whole}
        return True

    def _note(self) -> None:
        noted = {"format_version": _VERSION, "work": self._work, "shards": self._complete}
        unfinished = self._place.unfinished(f"part-{PROGRESS}")
        unfinished.write_text(json.dumps(noted, indent=1) + "\n", encoding="utf-8")
        flush(unfinished)
        self._place.publish(unfinished, PROGRESS)


def _named(name: str, work: Mapping[str, Any]) -> str:
    value = work.get(name)
    if value is None:
        return f"no {name}"
    return f"{name} {value if isinstance(value, str) else json.dumps(value)}"
