"""Reads an index on disk: one directory a build, and CURRENT, which names the live build.

    movie-index/
    |- CURRENT                      the name of the live build and the checksum of its manifest
    |- build-20260102T030405-a1b2c3/
    |  |- manifest.json             format version, settings, counts, metrics, size and checksum of every file
    |  |- *.npy, *.faiss, ...
    `- .partial-...                 a build that is being written, or died; no reader looks at it

`engine/artifact/writer.py` writes what this module reads. Opening costs milliseconds whatever the size:
arrays are mapped, not loaded.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifact import layout
from engine.errors import ArtifactCorruptError, ArtifactError, ArtifactNotFoundError, ArtifactVersionError

_POINTER = re.compile(rb"(build-[0-9T]+-[0-9a-f]+) ([0-9a-f]{64})\n")
"""What CURRENT holds: the name of a build, and the checksum of its manifest."""
_VERIFIED_ON_OPENING = 64 * 1024 * 1024
"""Bytes of a build up to which opening it checks all checksums, which takes some tens of milliseconds."""
_OPENING_ATTEMPTS = 3
"""How often opening is tried while builds that end remove the build that was live before."""
_BUILD_COMMAND = "engine build-index REVIEWS..."


def checksum(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, eq=False)
class Artifact:
    """Opens one complete build for reading."""

    directory: Path
    """The directory of the index, as it was asked for."""
    build_directory: Path
    """The build inside it that was live when it was opened."""
    manifest: dict[str, Any]
    """Everything that the build says of itself."""

    @classmethod
    def open(cls, directory: Path | str) -> Artifact:
        """Opens the live build of an index and checks that each of its files is there and has the right size.

        Builds of up to 64 MB have their checksums checked too; `verify` checks them at any size.

        Raises:
            ArtifactNotFoundError: there is no index.
            ArtifactVersionError: the index has another format version.
            ArtifactCorruptError: a file is missing, truncated or changed.
            ArtifactError: a file cannot be read.
        """
        directory = Path(directory)
        for attempt in range(_OPENING_ATTEMPTS):
            pointer = _read_pointer(directory)
            try:
                artifact = cls(directory, directory / pointer[0], _read_manifest(directory, *pointer))
                artifact._check_sizes()
                break
            except ArtifactCorruptError:
                # A build that ended this very moment may have removed the build that CURRENT named before.
                if attempt == _OPENING_ATTEMPTS - 1 or _read_pointer(directory) == pointer:
                    raise
        if sum(entry["size"] for entry in artifact.files.values()) <= _VERIFIED_ON_OPENING:
            artifact.verify()
        return artifact

    def is_live(self) -> bool:
        """Tells whether this build is still the live build of the index directory."""
        return _read_pointer(self.directory)[0] == self.build_directory.name

    @property
    def files(self) -> Mapping[str, Mapping[str, Any]]:
        """Returns the `size` and the `sha256` of every file but the manifest, by file name."""
        files: Mapping[str, Mapping[str, Any]] = self.manifest[layout.FILES_ENTRY]
        return files

    def verify(self) -> None:
        """Reads every file of the build, and compares the checksum of the file with the manifest.

        Raises:
            ArtifactCorruptError: a file is missing, truncated or changed.
        """
        self._check_sizes()
        for name, entry in self.files.items():
            try:
                found = checksum(self.build_directory / name)
            except OSError as error:
                raise _unreadable(self.build_directory / name, error) from error
            if found != entry["sha256"]:
                raise _corrupt(self.directory, name, "has changed since it was built")

    def file(self, name: str) -> Path:
        """Returns the path of a file of the build.

        Raises:
            ArtifactCorruptError: the build has no such file.
        """
        path = self.build_directory / name
        if name not in self.files or not path.is_file():
            raise _corrupt(self.directory, name, "is missing")
        return path

    def has(self, name: str) -> bool:
        """Tells whether the build was written with a file of this name."""
        return name in self.files

    def array(self, name: str) -> NDArray[Any]:
        """Maps the array of a name into memory, read-only; the system reads the array when it is used.

        Raises:
            ArtifactCorruptError: the array is missing or is not one.
        """
        path = self.file(name + layout.ARRAY_ENDING)
        try:
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, SyntaxError) as error:
            raise _corrupt(self.directory, path.name, "is not an array") from error
        except OSError as error:
            raise _unreadable(path, error) from error
        # As a plain array over the same pages: every slice of a memmap costs a microsecond of Python.
        return np.asarray(mapped)

    def arrays(self, names: Mapping[str, str]) -> dict[str, NDArray[Any]]:
        """Maps several arrays into memory; `names` gives the name of each array in the index."""
        return {key: self.array(name) for key, name in names.items()}

    def _check_sizes(self) -> None:
        for name, entry in self.files.items():
            try:
                size = (self.build_directory / name).stat().st_size
            except FileNotFoundError as error:
                raise _corrupt(self.directory, name, "is missing") from error
            except OSError as error:
                raise _unreadable(self.build_directory / name, error) from error
            if size != entry["size"]:
                raise _corrupt(self.directory, name, f"has {size:,} bytes instead of {entry['size']:,}")


def _read_pointer(directory: Path) -> tuple[str, str]:
    """Reads from `CURRENT` the name of the live build and the checksum of the manifest."""
    try:
        content = (directory / layout.CURRENT).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactNotFoundError(
            f"There is no index at {directory}; build one with: {_BUILD_COMMAND} --output {directory}"
        ) from error
    except OSError as error:
        raise _unreadable(directory / layout.CURRENT, error) from error
    pointer = _POINTER.fullmatch(content)
    if not pointer:
        raise _corrupt(directory, layout.CURRENT, "is damaged")
    return pointer[1].decode(), pointer[2].decode()


def _read_manifest(directory: Path, build: str, expected_checksum: str) -> dict[str, Any]:
    path = directory / build / layout.MANIFEST
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _corrupt(directory, f"{build}/{layout.MANIFEST}", "is missing") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        manifest: dict[str, Any] = json.loads(content)
        version = manifest[layout.VERSION_ENTRY]
    except (ValueError, KeyError, TypeError) as error:
        raise _corrupt(directory, layout.MANIFEST, "is damaged") from error
    # The version comes before the checksum, since another version may well checksum in another way.
    if version != layout.FORMAT_VERSION:
        raise ArtifactVersionError(
            f"The index at {directory} has format version {version!r}, but this package reads version "
            f"{layout.FORMAT_VERSION}; build it again with: {_BUILD_COMMAND} --output {directory}, or "
            f"install the movie-engine that wrote it ({manifest.get(layout.PACKAGE_ENTRY, 'unknown')})"
        )
    if hashlib.sha256(content).hexdigest() != expected_checksum:
        raise _corrupt(directory, layout.MANIFEST, "has changed since it was built")
    return manifest


def _corrupt(directory: Path, name: str, fault: str) -> ArtifactCorruptError:
    return ArtifactCorruptError(
        f"The index at {directory} is damaged: {name} {fault}; restore it from a copy or build it again "
        f"with: {_BUILD_COMMAND} --output {directory}"
    )


def _unreadable(path: Path, error: OSError) -> ArtifactError:
    return ArtifactError(f"Cannot read {path}: {error.strerror or error}")
