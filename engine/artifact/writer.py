"""Writes an index so that readers see all of a build or nothing of it, whatever happens meanwhile.

A build is written into a hidden directory, flushed to disk, renamed, and made live by replacing one small
file. A lock that the system drops when its holder dies keeps two builds apart and tells leftovers from work.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import math
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifact.layout import BUILD_NAME, CURRENT, FORMAT_VERSION, MANIFEST
from engine.artifact.reader import checksum
from engine.errors import ArtifactError

logger = logging.getLogger(__name__)

_LOCK = ".lock"
_PARTIAL = ".partial-"
_WORK = ".work"
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_FULL = (errno.ENOSPC, errno.EDQUOT)


def check_directory(directory: Path, needed: int = 16 * 1024 * 1024) -> None:
    """Refuses, before the long work, an output directory into which an index could not be written.

    Args:
        directory: a directory that holds an index, is empty, or does not exist.
        needed: the bytes that must be free.

    Raises:
        ArtifactError: it is a file, holds something else, is full, or cannot be or is being written to.
    """
    try:
        _check_content(directory)
        place = next(parent for parent in (directory, *directory.absolute().parents) if parent.exists())
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
        if directory.is_dir():
            os.close(_lock(directory))
    except OSError as error:
        raise _unwritable(directory, error) from error
    if free < needed:
        raise ArtifactError(
            f"Cannot write an index to {directory}: about {needed / 1e6:,.0f} MB are needed but only "
            f"{free / 1e6:,.0f} MB are free; name a directory elsewhere with --output"
        )


class ArtifactWriter:
    """Writes one build; leaving the `with` block makes it live, an exception inside leaves the old one live.

    Args:
        directory: where the index lives; made if it is not there.
        keep_previous: leave the build that was live until now, so that whoever has it open can go on.

    Attributes:
        directory: where the index lives.
        build_directory: the finished build, once the block is left.
        manifest: what the build says of itself, complete once the block is left.

    Example:
        with ArtifactWriter(Path("movie-index")) as writer:
            writer.add_array("movie_vectors", vectors)
            writer.add_section("counts", {"num_movies": len(vectors)})
    """

    def __init__(self, directory: Path, *, keep_previous: bool = True) -> None:
        self.directory = Path(directory)
        self.manifest: dict[str, Any] = {}
        self._keep_previous = keep_previous
        now = datetime.now(UTC)
        self._name = f"build-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        self._created = now.isoformat(timespec="seconds")
        self._partial = self.directory / f"{_PARTIAL}{self._name}"
        self._sections: dict[str, Any] = {}
        self._lock: int | None = None
        self._made_directory = False

    @property
    def build_directory(self) -> Path:
        """The directory that the build has once it is live."""
        return self.directory / self._name

    @property
    def work_directory(self) -> Path:
        """Where a build may keep what it needs to go on after a kill.

        It is the caller's to make, and goes when the build is finished. Who holds the writer is alone in it.
        """
        return self.directory / _WORK

    @property
    def files(self) -> list[Path]:
        """The files of the build that have been written so far."""
        return sorted(path for path in self._partial.iterdir() if path.is_file())

    @property
    def sections(self) -> Mapping[str, Any]:
        """The manifest's sections that have been added so far."""
        return self._sections

    def __enter__(self) -> ArtifactWriter:
        try:
            _check_content(self.directory)
            self._made_directory = not self.directory.exists()
            self.directory.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(self.directory)
            self._remove_leftovers()
            self._partial.mkdir()
        except OSError as error:
            self._abandon()
            raise _unwritable(self.directory, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._publish()
        except BaseException as failure:
            self._abandon()
            if isinstance(failure, OSError):
                raise _unwritable(self.directory, failure) from failure
            raise
        if error is not None:
            self._abandon()
            if isinstance(error, OSError) and self._is_ours(error):
                raise _unwritable(self.directory, error) from error
        self._unlock()

    def path_for(self, name: str) -> Path:
        """Gives the path at which someone else is to write a file of the build.

        Args:
            name: a plain file name; the manifest and the readers know the file by it.
        """
        if not _FILE_NAME.fullmatch(name) or name == MANIFEST:
            raise ValueError(f"{name!r} cannot name a file of an index")
        return self._partial / name

    def add_array(self, name: str, array: NDArray[Any]) -> None:
        """Writes an array, which readers map as `Artifact.array(name)`."""
        try:
            np.save(self.path_for(f"{name}.npy"), array, allow_pickle=False)
        except OSError as error:
            raise _unwritable(self.directory, error) from error

    def add_file(self, source: Path) -> None:
        """Takes over a file of another build, without a copy where the file system allows.

        Whoever writes to either file in place changes both, so replace such a file instead.
        """
        target = self.path_for(source.name)
        try:
            target.hardlink_to(source)
        except OSError:
            try:
                shutil.copyfile(source, target)
            except OSError as error:
                raise _unwritable(self.directory, error) from error

    def add_section(self, name: str, values: Any) -> None:
        """Puts a section into the manifest: what JSON can hold, or has a plain form, as NumPy's numbers."""
        self._sections[name] = _plain(values)

    def _remove_leftovers(self) -> None:
        # Whoever holds the lock is alone, so what lies about was left by builds that were killed.
        for leftover in self.directory.glob(f"{_PARTIAL}*"):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink()

    def _publish(self) -> None:
        files = self.files
        self.manifest = {
            "format_version": FORMAT_VERSION,
            "package_version": version("movie-engine"),
            "build": self._name,
            "created": self._created,
            **self._sections,
            "files": {path.name: {"size": path.stat().st_size, "sha256": checksum(path)} for path in files},
        }
        manifest = self._partial / MANIFEST
        manifest.write_text(json.dumps(self.manifest, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        for path in (*files, manifest, self._partial):
            _flush(path)
        previous = _live_build(self.directory)
        self._partial.rename(self.build_directory)
        self._point_current(checksum(self.build_directory / MANIFEST))
        self._remove_others({self._name, previous if self._keep_previous else self._name})
        shutil.rmtree(self.work_directory, ignore_errors=True)
        logger.info("Wrote %s (%s files)", self.build_directory, len(files))

    def _point_current(self, manifest_checksum: str) -> None:
        pointer = self.directory / f"{_PARTIAL}{CURRENT}"
        pointer.write_text(f"{self._name} {manifest_checksum}\n", encoding="utf-8")
        _flush(pointer)
        pointer.replace(self.directory / CURRENT)
        _flush(self.directory)

    def _remove_others(self, kept: set[str]) -> None:
        for path in self.directory.iterdir():
            if BUILD_NAME.fullmatch(path.name) and path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)

    def _abandon(self) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)
        if _live_build(self.directory) != self._name:
            shutil.rmtree(self.build_directory, ignore_errors=True)
        if self._made_directory and self._lock is not None:
            with contextlib.suppress(OSError):
                (self.directory / f"{_PARTIAL}{CURRENT}").unlink(missing_ok=True)
                (self.directory / _LOCK).unlink()
                self.directory.rmdir()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _is_ours(self, error: OSError) -> bool:
        inside = error.filename is not None and str(self.directory) in str(error.filename)
        return inside or error.errno in (*_FULL, errno.EROFS)


def _check_content(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise ArtifactError(
            f"Cannot write an index to {directory}: it is a file; name a directory with --output"
        )
    if directory.is_dir() and not (directory / CURRENT).exists():
        strange = [path.name for path in directory.iterdir() if not _is_trace(path.name)]
        if strange:
            raise ArtifactError(
                f"Cannot write an index to {directory}: it holds other things ({min(strange)}) and no index; "
                "name a new or empty directory with --output"
            )


def _is_trace(name: str) -> bool:
    return name in (_LOCK, _WORK) or name.startswith(_PARTIAL) or BUILD_NAME.fullmatch(name) is not None


def _lock(directory: Path) -> int:
    """Takes the directory's lock, which the system drops when the file is closed or its holder dies."""
    path = directory / _LOCK
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # An abandoned first build removes its lock file; a lock on the removed one would exclude nobody.
        held = os.fstat(handle).st_nlink > 0
    except BlockingIOError:
        held = False
    except OSError:
        os.close(handle)
        raise
    if not held:
        os.close(handle)
        raise ArtifactError(
            f"Another build is writing to {directory}; wait until it ends, or name another with --output"
        )
    return handle


def _live_build(directory: Path) -> str:
    try:
        return (directory / CURRENT).read_text(encoding="utf-8", errors="replace").partition(" ")[0]
    except OSError:
        return ""


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(directory: Path, error: OSError) -> ArtifactError:
    if error.errno in _FULL or error.errno is None:  # NumPy reports a short write without a number.
        reason, advice = "the disk is full", "free some space or name a directory elsewhere with --output"
    else:
        reason, advice = (error.strerror or str(error)).lower(), "name another directory with --output"
    return ArtifactError(f"Cannot write an index to {directory}: {reason}; {advice}")


def _plain(value: Any) -> Any:
    """Turns a value into what strict JSON can hold; a figure that is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path | date):
        return str(value)
    return value
