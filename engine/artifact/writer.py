"""Writes an index so that a reader sees a whole build or none, even if the writing process is killed.

A build is written into a hidden directory, flushed to disk, renamed, and made live by replacing the small
file CURRENT. A lock on the index directory keeps two processes from writing to the directory at the same
time. The system releases the lock when a process ends, so unfinished files in an unlocked directory were left
by a killed build.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import math
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifact import layout
from engine.artifact.builds import (
    changing_live,
    live_build,
    number_to_keep,
    point_to,
    remove_surplus,
)
from engine.artifact.databases import drop_unused, forget_database
from engine.artifact.files import checksum, flush, link_or_copy
from engine.artifact.locks import remove_folder, remove_leftovers, take_lock
from engine.artifact.manifest import LARGEST as LARGEST_MANIFEST
from engine.artifact.reader import is_build
from engine.errors import ArtifactError, ConfigError

logger = logging.getLogger(__name__)

_FULL = (errno.ENOSPC, errno.EDQUOT)
"""The error numbers of a full disk: no space on the disk, or the user's quota is used up."""
_OF_THE_PLACE = (*_FULL, errno.EFBIG, errno.EROFS, errno.EIO)
"""The error numbers that blame the disk or folder, and not the program, even if the error names no file."""


def check_directory(directory: Path, needed: int = 16 * 1024 * 1024) -> None:
    """Checks, before a long build, that an index of `needed` bytes can be written to a directory.

    Raises:
        ArtifactError: the directory is a file; the directory holds something other than an index; the disk is
            full; the directory cannot be written to; another build is writing to the directory.
    """
    try:
        check_content(directory)
        check_space(directory, needed)
        if directory.is_dir():
            os.close(_lock(directory))
    except OSError as error:
        raise unwritable(directory, error) from error


def check_space(directory: Path, needed: int) -> None:
    """Checks that the disk has `needed` bytes free for a directory, which need not exist yet.

    Raises:
        ArtifactError: the disk has fewer than `needed` bytes free.
        OSError: the directory cannot be written to.
    """
    place = next(parent for parent in (directory, *directory.absolute().parents) if parent.exists())
    with tempfile.TemporaryFile(dir=place):
        free = shutil.disk_usage(place).free
    if free < needed:
        raise ArtifactError(
            f"Cannot write an index to {directory}: about {needed / 1e6:,.0f} MB are needed but only "
            f"{free / 1e6:,.0f} MB are free; name a directory elsewhere with --output"
        )


class ArtifactWriter:
    """Writes one build of an index.

    Leaving the `with` block makes the new build live; an exception in the block leaves the old build live.

    The directory of the index is made if it does not exist. If `resumable` is true, the build keeps
    checkpoints in `work_directory`, and removes the checkpoints when the build is complete. If `resumable` is
    false, the writer leaves the checkpoints in `work_directory` in place, because an interrupted build may
    still resume from the checkpoints. After the build, the index directory keeps `keep` builds. If `keep` is
    None, the number of builds to keep is read from the manifest of the newest earlier build.

    Example:
        with ArtifactWriter(Path("movie-index")) as writer:
            writer.add_array("movie_vectors", vectors)
            writer.add_section("counts", {"num_movies": len(vectors)})
    """

    def __init__(self, directory: Path, *, resumable: bool = False, keep: int | None = None) -> None:
        if keep is not None and keep < 1:
            raise ConfigError(f"keep must be at least 1 build, the live one, but is {keep}")
        now = datetime.now(UTC)
        self._name = f"build-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        self._created = now.isoformat(timespec="seconds")
        self._partial = directory / f"{layout.PARTIAL}{self._name}"
        self._lock: int | None = None
        self._made_directory = False
        self._resumable = resumable
        self._keep = keep
        self._refused: str | None = None
        self.directory = directory
        self.build_directory = directory / self._name
        """The directory of the build after the build is complete; until then, the build has another
        directory."""
        self.work_directory = directory / layout.WORK
        """The directory of the checkpoints from which a killed build resumes. The caller makes the directory
        of the checkpoints, while the caller holds the lock on the index."""
        self.based_on: str | None = None
        """The name of the build from which an update takes files; leaving the `with` block fails if that
        build is no longer live."""
        self.sections: dict[str, Any] = {}
        """The sections that have been added to the manifest so far."""
        self.manifest: dict[str, Any] = {}
        """The content of the build's manifest, complete after the `with` block."""

    @property
    def files(self) -> list[Path]:
        """Returns the paths of the files that have been written to the build so far."""
        return sorted(path for path in self._partial.iterdir() if path.is_file())

    def __enter__(self) -> ArtifactWriter:
        try:
            check_content(self.directory)
            self._made_directory = not self.directory.exists()
            self.directory.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(self.directory)
            self._remove_leftovers()
            self._partial.mkdir()
        except OSError as error:
            self._abandon()
            raise unwritable(self.directory, error) from error
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            if error is None:
                self._publish()
        except BaseException as failure:
            self._abandon()
            if isinstance(failure, OSError):
                raise unwritable(self.directory, failure) from failure
            raise
        if error is not None:
            self._abandon()
            if isinstance(error, OSError) and self._is_ours(error):
                raise unwritable(self.directory, error) from error
        self._unlock()

    def path_for(self, name: str) -> Path:
        """Returns the path at which the caller must write the file `name` of the build."""
        if name not in layout.FILE_NAMES:
            raise ValueError(f"{name!r} cannot name a file of an index")
        return self._partial / name

    def add_array(self, name: str, array: NDArray[Any]) -> None:
        """Writes an array to the build; readers get the array by `Artifact.array(name)`."""
        try:
            np.save(self.path_for(name + layout.ARRAY_ENDING), array, allow_pickle=False)
        except OSError as error:
            raise unwritable(self.directory, error) from error

    def add_file(self, source: Path) -> None:
        """Adds a file of another build: as a hard link if the file system allows one, otherwise as a copy.

        Two builds share the bytes of a hard-linked file, so no program may change a file of a build.
        """
        try:
            link_or_copy(source, self.path_for(source.name))
        except OSError as error:
            raise unwritable(self.directory, error) from error

    def add_section(self, name: str, values: Any) -> None:
        """Adds a section to the manifest; converts NumPy's arrays and numbers to lists and Python numbers."""
        self.sections[name] = _json_value(values)

    def refuse(self, reason: str) -> None:
        """Keeps the finished build on disk without making it live; the manifest says the `reason`."""
        self._refused = reason

    def _publish(self) -> None:
        files = self.files
        entries = {path.name: {"size": path.stat().st_size, "sha256": checksum(path)} for path in files}
        for path in files:
            flush(path)
        with changing_live(self.directory):
            live = live_build(self.directory)
            if self.based_on not in (None, live):
                raise ArtifactError(
                    f"The index at {self.directory} was rolled back meanwhile, from {self.based_on} to "
                    f"{live}; nothing was changed, so run the command again"
                )
            keep = self._keep or number_to_keep(self.directory)
            self.manifest = {
                layout.VERSION_ENTRY: layout.FORMAT_VERSION,
                layout.PACKAGE_ENTRY: version("movie-engine"),
                layout.BUILD_ENTRY: self._name,
                layout.CREATED_ENTRY: self._created,
                layout.BEFORE_ENTRY: live or None,
                layout.KEEP_ENTRY: keep,
                **({} if self._refused is None else {layout.REFUSED_ENTRY: self._refused}),
                **self.sections,
                layout.FILES_ENTRY: entries,
            }
            self._write_manifest()
            self._partial.rename(self.build_directory)
            if self._resumable and self.work_directory.is_dir():
                (self.work_directory / self._name).touch()
            if self._refused is None:
                point_to(self.directory, self._name)
            with contextlib.suppress(OSError, ArtifactError):
                remove_surplus(self.directory, keep, spare=(self._name,))
        if self._resumable:
            self._remove_work()
        logger.info("Wrote %s (%s files)", self.build_directory, len(files))

    def _write_manifest(self) -> None:
        manifest = self._partial / layout.MANIFEST
        content = json.dumps(self.manifest, indent=1, allow_nan=False) + "\n"
        if len(content) > LARGEST_MANIFEST:
            raise ArtifactError(
                f"Cannot write an index to {self.directory}: its manifest would have more than "
                f"{LARGEST_MANIFEST:,} bytes, since there were too many updates; build the index again"
            )
        manifest.write_text(content, encoding="utf-8")
        flush(manifest)
        flush(self._partial)

    def _remove_leftovers(self) -> None:
        """Removes the remains of killed builds; the caller must hold the lock on the index directory."""
        for leftover in self.directory.glob(f"{layout.PARTIAL}*"):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink()
        live = live_build(self.directory)
        if live and (self.work_directory / live).exists():
            # The killed build was already live, so its checkpoints are no longer needed.
            self._remove_work()
        for folder in (self.directory, self.work_directory):
            remove_leftovers(folder)
        drop_unused(self.directory)

    def _remove_work(self) -> None:
        with contextlib.suppress(OSError):
            remove_folder(self.work_directory)

    def _abandon(self) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)
        if live_build(self.directory) != self._name and self._refused is None:
            shutil.rmtree(self.build_directory, ignore_errors=True)
        if self._lock is not None:
            with contextlib.suppress(OSError):
                drop_unused(self.directory)
        if self._made_directory and self._lock is not None:
            with contextlib.suppress(OSError):
                forget_database(self.directory)
                for name in (f"{layout.PARTIAL}{layout.CURRENT}", layout.LIVE_LOCK, layout.LOCK):
                    (self.directory / name).unlink(missing_ok=True)
                self.directory.rmdir()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _is_ours(self, error: OSError) -> bool:
        inside = error.filename is not None and str(self.directory) in str(error.filename)
        return inside or _is_short_write(error) or error.errno in _OF_THE_PLACE


def check_content(directory: Path) -> None:
    """Checks that a directory holds an index, is empty, or does not exist yet.

    Raises:
        ArtifactError: the directory is a file; the directory is one build of an index; the directory holds
            something other than an index.
    """
    if directory.exists() and not directory.is_dir():
        raise ArtifactError(
            f"Cannot write an index to {directory}: it is a file; name a directory with --output"
        )
    if is_build(directory) and (directory / layout.MANIFEST).exists():
        raise ArtifactError(
            f"Cannot write an index to {directory}: it is one build of the index {directory.parent}, which "
            "never changes; name the directory of the index"
        )
    if directory.is_dir() and not (directory / layout.CURRENT).exists():
        strange = [path.name for path in directory.iterdir() if not _is_trace(path.name)]
        if strange:
            raise ArtifactError(
                f"Cannot write an index to {directory}: it holds other things ({min(strange)}) and no index; "
                "name a new or empty directory with --output"
            )


def _is_trace(name: str) -> bool:
    is_known = name in layout.BESIDE_BUILDS
    return is_known or name.startswith(layout.PARTIAL) or bool(layout.BUILD_NAME.fullmatch(name))


def _lock(directory: Path) -> int:
    """Locks the directory of an index; the system releases the lock when the process ends."""
    handle = take_lock(directory / layout.LOCK, os.O_RDWR | os.O_CREAT)
    if handle is None:
        raise ArtifactError(
            f"Another build is writing to {directory}; wait until it ends, or name another with --output"
        )
    return handle


def unwritable(directory: Path, error: OSError) -> ArtifactError:
    """Returns the error to raise if the operating system refuses to write into the directory of an index."""
    reason, advice = (error.strerror or str(error)).lower(), "name another directory with --output"
    if error.errno in _FULL:
        reason, advice = "the disk is full", "free some space or write to a directory elsewhere"
    elif _is_short_write(error):
        reason = "the disk is full, or a file may not grow so large (ulimit -f)"
        advice = "free some space, raise the limit, or write to a directory elsewhere"
    elif error.errno == errno.EFBIG:
        advice = "raise the limit on the size of a file (ulimit -f)"
    return ArtifactError(f"Cannot write an index to {directory}: {reason}; {advice}")


def _is_short_write(error: OSError) -> bool:
    """Tells whether NumPy wrote only a part of an array, as happens when the disk is full."""
    return error.errno is None and "requested and" in str(error)


def _json_value(value: Any) -> Any:
    """Converts a value to types that JSON can represent; NaN and infinity become None."""
    if isinstance(value, Mapping):
        return {str(key): _json_value(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _json_value(value.tolist())
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path | date):
        return str(value)
    return value
