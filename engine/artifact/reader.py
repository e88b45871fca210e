"""A built index on disk, as its readers see it: one directory a build, and CURRENT, which names the live one.

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
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifact.layout import CURRENT, FORMAT_VERSION, MANIFEST
from engine.errors import ArtifactCorruptError, ArtifactError, ArtifactNotFoundError, ArtifactVersionError

_POINTER = re.compile(rb"(build-[0-9T]+-[0-9a-f]+) ([0-9a-f]{64})\n")

_VERIFIED_ON_OPENING = 64 * 1024 * 1024
_OPENING_ATTEMPTS = 3
_BUILD_COMMAND = "engine build-index REVIEWS..."


def checksum(path: Path) -> str:
    """Gives the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Artifact:
    """One complete build, opened for reading.

    Attributes:
        directory: where the index lives, as it was asked for.
        build_directory: the build inside it that was live when it was opened.
        manifest: everything that the build says of itself.
    """

    def __init__(self, directory: Path, build_directory: Path, manifest: dict[str, Any]) -> None:
        self.directory = directory
        self.build_directory = build_directory
        self.manifest = manifest

    @classmethod
    def open(cls, directory: Path | str) -> Artifact:
        """Opens the live build of an index and checks that each of its files is there and has the right size.

        Checksums are checked too where that takes no time, up to 64 MB; `verify` checks them at any size.

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
                # A build that ended this very moment may have removed the one that CURRENT named before.
                if attempt == _OPENING_ATTEMPTS - 1 or _read_pointer(directory) == pointer:
                    raise
        if artifact.size <= _VERIFIED_ON_OPENING:
            artifact.verify()
        return artifact

    @property
    def size(self) -> int:
        """The bytes that the build takes on disk, but for its manifest."""
        return sum(entry["size"] for entry in self.manifest["files"].values())

    def verify(self) -> None:
        """Reads every file and compares its checksum.

        Raises:
            ArtifactCorruptError: a file is missing, truncated or changed.
        """
        self._check_sizes()
        for name, entry in self.manifest["files"].items():
            try:
                found = checksum(self.build_directory / name)
            except OSError as error:
                raise _unreadable(self.build_directory / name, error) from error
            if found != entry["sha256"]:
                raise _corrupt(self.directory, name, "has changed since it was built")

    def file(self, name: str) -> Path:
        """Gives the path of a file of the build.

        Raises:
            ArtifactCorruptError: the build has no such file.
        """
        path = self.build_directory / name
        if name not in self.manifest["files"] or not path.is_file():
            raise _corrupt(self.directory, name, "is missing")
        return path

    def has(self, name: str) -> bool:
        """Says whether the build was written with a file of this name."""
        return name in self.manifest["files"]

    def array(self, name: str) -> NDArray[Any]:
        """Maps an array, read-only; nothing is read until it is used.

        Args:
            name: as it was added, without the `.npy`.

        Raises:
            ArtifactCorruptError: the array is missing or is not one.
        """
        path = self.file(f"{name}.npy")
        try:
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, SyntaxError) as error:
            raise _corrupt(self.directory, path.name, "is not an array") from error
        except OSError as error:
            raise _unreadable(path, error) from error
        # As a plain array over the same pages: every slice of a memmap costs a microsecond of Python.
        return np.asarray(mapped)

    def _check_sizes(self) -> None:
        for name, entry in self.manifest["files"].items():
            try:
                size = (self.build_directory / name).stat().st_size
            except FileNotFoundError as error:
                raise _corrupt(self.directory, name, "is missing") from error
            except OSError as error:
                raise _unreadable(self.build_directory / name, error) from error
            if size != entry["size"]:
                raise _corrupt(self.directory, name, f"has {size:,} bytes instead of {entry['size']:,}")


def _read_pointer(directory: Path) -> tuple[str, str]:
    """Gives the live build's name and its manifest's checksum."""
    try:
        content = (directory / CURRENT).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactNotFoundError(
            f"There is no index at {directory}; build one with: {_BUILD_COMMAND} --output {directory}"
        ) from error
    except OSError as error:
        raise _unreadable(directory / CURRENT, error) from error
    pointer = _POINTER.fullmatch(content)
    if not pointer:
        raise _corrupt(directory, CURRENT, "is damaged")
    return pointer[1].decode(), pointer[2].decode()


def _read_manifest(directory: Path, build: str, expected_checksum: str) -> dict[str, Any]:
    path = directory / build / MANIFEST
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _corrupt(directory, f"{build}/{MANIFEST}", "is missing") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        manifest: dict[str, Any] = json.loads(content)
        version = manifest["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise _corrupt(directory, MANIFEST, "is damaged") from error
    # Before the checksum: another version may well checksum in another way.
    if version != FORMAT_VERSION:
        raise ArtifactVersionError(
            f"The index at {directory} has format version {version!r}, but this package reads version "
            f"{FORMAT_VERSION}; build it again with: {_BUILD_COMMAND} --output {directory}, or install the "
            f"movie-engine that wrote it ({manifest.get('package_version', 'unknown')})"
        )
    if hashlib.sha256(content).hexdigest() != expected_checksum:
        raise _corrupt(directory, MANIFEST, "has changed since it was built")
    return manifest


def _corrupt(directory: Path, name: str, fault: str) -> ArtifactCorruptError:
    return ArtifactCorruptError(
        f"The index at {directory} is damaged: {name} {fault}; restore it from a copy or build it again "
        f"with: {_BUILD_COMMAND} --output {directory}"
    )


def _unreadable(path: Path, error: OSError) -> ArtifactError:
    return ArtifactError(f"Cannot read {path}: {error.strerror or error}")
