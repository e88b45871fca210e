"""Reads an index on disk: a directory for each build, and the file CURRENT, which names the live build.

    movie-index/
    |- CURRENT                      the name of the live build and the checksum of its manifest
    |- build-20260102T030405-a1b2c3/
    |  |- manifest.json             format version, settings, counts, metrics, size and checksum of every file
    |  |- *.npy, *.faiss            arrays, the vector index, and other files
    `- .partial-...                 a build that is being written, or died; no reader looks at it

This module reads what the module `engine/artifact/writer.py` writes. Opening an index of any size takes
milliseconds, because arrays are memory-mapped. An index may be damaged or made by an attacker, so this module
checks file names, sizes, types and shapes before use.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engine.artifact import layout
from engine.artifact.arrays import check_arrays, check_values, map_array
from engine.artifact.files import HeldFile
from engine.artifact.manifest import LARGEST, check_manifest, parse_manifest
from engine.errors import ArtifactCorruptError, ArtifactError, ArtifactNotFoundError, ArtifactVersionError

_POINTER = re.compile(rb"(build-[0-9T]+-[0-9a-f]+) ([0-9a-f]{64})\n")
"""Matches the content of the file CURRENT: the name of the live build, and the checksum of the live build's
manifest."""
_VERIFIED_ON_OPENING = 64 * 1024 * 1024
"""The largest size of a build, in bytes, at which opening the build also checks all checksums; the checksums
of 64 MB take some tens of milliseconds."""
_OPENING_ATTEMPTS = 3
"""The number of tries to open the live build; a try fails if another process replaces and removes the build
meanwhile."""
POINTER_SIZE = 200
"""The number of bytes that are read from the file CURRENT; an undamaged file CURRENT is shorter."""
_BUILD_COMMAND = "engine build-index REVIEWS..."
_MISSING = (FileNotFoundError, NotADirectoryError, ValueError)
"""The errors that opening a missing file raises; ValueError stands for a path with the character NUL."""


@dataclass(frozen=True, eq=False)
class Artifact:
    """Opens one complete build for reading.

    The `Artifact` object keeps all files of the build open, so that the build stays readable even after the
    files were deleted.
    """

    directory: Path
    """The directory of the index, as the caller gave it to `open`."""
    home: Path
    """The absolute path of the index directory, which stays valid if the program changes its working
    directory."""
    build_directory: Path
    """The directory of the opened build, inside the index directory."""
    digest: str
    """The SHA-256 of the manifest; the manifest holds the SHA-256 of every other file of the build."""
    manifest: dict[str, Any]
    """The content of the build's manifest: settings, counts, metrics and files."""
    is_pinned: bool
    """Whether the caller chose the build by name; False if the caller asked for the live build."""
    _held: Mapping[str, HeldFile]
    _arrays: Mapping[str, NDArray[Any]]

    @classmethod
    def open(cls, directory: Path | str, *, build: str | None = None, expect: str | None = None) -> Artifact:
        """Opens the live build of an index, and checks that the build's files exist and fit together.

        Opening checks the sizes of all files, and the types, the shapes and the first and last offsets of all
        arrays. For builds of up to 64 MB, opening also compares all checksums; `verify` compares the
        checksums of a build of any size.

        Args:
            directory: the directory of an index, or the directory of one build in it.
            build: the name of the build to open; by default the live build.
            expect: the `digest` that the build must have; with `expect`, all checksums are compared, whatever
                the size of the build.

        Raises:
            ArtifactNotFoundError: the directory holds no index.
            ArtifactVersionError: the index has another format version.
            ArtifactCorruptError: a file is missing, truncated or changed; the digest of the build is not
                `expect`.
            ArtifactError: the system cannot read a file of the index.
        """
        directory = Path(directory)
        if build is None and is_build(directory):
            directory, build = directory.parent, directory.name
        for attempt in range(_OPENING_ATTEMPTS):
            pointer = _read_pointer(directory) if build is None else (build, None)
            try:
                artifact = cls._open_build(directory, *pointer)
                break
            except ArtifactCorruptError:
                # A build that became live this very moment may have removed the build that CURRENT named
                # before.
                is_last = build is not None or attempt == _OPENING_ATTEMPTS - 1
                if is_last or _read_pointer(directory) == pointer:
                    raise
        if expect is not None and artifact.digest != expect.strip().lower():
            raise ArtifactCorruptError(
                f"The index at {directory} is not the expected one: its digest is {artifact.digest}, not "
                f"{expect[:80]}; get the index again from a source that you trust, or check the digest"
            )
        total = sum(file.size for file in artifact._held.values())
        if expect is not None or total <= _VERIFIED_ON_OPENING:
            artifact.verify()
        return artifact

    @classmethod
    def _open_build(cls, directory: Path, build: str, digest: str | None) -> Artifact:
        """Opens a build; `digest` is the digest in the file CURRENT, or None for a build chosen by name."""
        try:
            # The flag O_NOFOLLOW refuses a link to a directory outside the index.
            inside = os.open(directory / build, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            fault = (
                "is missing"
                if isinstance(error, FileNotFoundError)
                else "is not a directory that can be read"
            )
            raise _corrupt(directory, build, fault) from error
        try:
            manifest, found = _read_manifest(directory, build, inside, digest)
            held, arrays = {}, {}
            for name, entry in manifest[layout.FILES_ENTRY].items():
                held[name] = file = _hold(directory, build, name, inside)
                if file.size != entry["size"]:
                    raise _corrupt(directory, name, f"has {file.size:,} bytes instead of {entry['size']:,}")
                if name.endswith(layout.ARRAY_ENDING):
                    try:
                        arrays[name.removesuffix(layout.ARRAY_ENDING)] = map_array(file)
                    except ValueError as error:
                        raise _corrupt(directory, name, str(error)) from error
                    except OSError as error:
                        raise _unreadable(directory / build / name, error) from error
        finally:
            os.close(inside)
        try:
            check_arrays(arrays)
        except ValueError as error:
            raise _corrupt(directory, build, f"does not fit together: {error}") from error
        home, is_pinned = directory.absolute(), digest is None
        return cls(directory, home, directory / build, found, manifest, is_pinned, held, arrays)

    def is_live(self) -> bool:
        """Tells whether the opened build is still live.

        If the caller of `Artifact.open` chose the build by name, the method returns True without a check.
        """
        return self.is_pinned or _read_pointer(self.home)[0] == self.build_directory.name

    @property
    def files(self) -> Mapping[str, Mapping[str, Any]]:
        """Returns the `size` and the `sha256` of each file of the build except the manifest, by file name."""
        files: Mapping[str, Mapping[str, Any]] = self.manifest[layout.FILES_ENTRY]
        return files

    def section(self, name: str) -> Any:
        """Returns a section of the manifest; raises ArtifactCorruptError if the section is missing."""
        if name not in self.manifest:
            raise _corrupt(self.directory, layout.MANIFEST, f"has no section {name}")
        return self.manifest[name]

    def verify(self) -> None:
        """Reads every file of the build, compares the checksums with the manifest, and checks all arrays.

        Raises:
            ArtifactCorruptError: a file was changed since it was built, or holds impossible numbers.
        """
        for name, entry in self.files.items():
            try:
                found = self._held[name].checksum()
            except OSError as error:
                raise _unreadable(self.build_directory / name, error) from error
            if found != entry["sha256"]:
                raise _corrupt(self.directory, name, "has changed since it was built")
        try:
            check_values(self._arrays)
        except ValueError as error:
            raise _corrupt(self.directory, self.build_directory.name, str(error)) from error

    def file(self, name: str) -> Path:
        """Returns the path of a file in the directory of the build, which works until the build is deleted.

        Raises:
            ArtifactCorruptError: the build has no file `name`.
        """
        if name not in self.files:
            raise _corrupt(self.directory, name, "is missing")
        return self.build_directory / name

    def handle(self, name: str) -> Path:
        """Returns a path that opens a file of the build, if possible even after the build was deleted.

        Usually, the returned path leads to the file `name` that the `Artifact` object keeps open, and works
        as long as the `Artifact` object exists. If the file `name` holds an array, or if the system has no
        directory such as /dev/fd, the method returns the path of the file `name` in the build directory. The
        path in the build directory works only until the build is deleted.

        Raises:
            ArtifactCorruptError: the build has no file `name`.
        """
        return self._held[name].path(self.file(name).absolute()) if name in self._held else self.file(name)

    def has(self, name: str) -> bool:
        """Tells whether the build has a file called `name`."""
        return name in self.files

    def array(self, name: str) -> NDArray[Any]:
        """Returns an array, mapped into memory read-only; the bytes are read from disk when they are used.

        Raises:
            ArtifactCorruptError: the build has no array `name`.
        """
        if name not in self._arrays:
            raise _corrupt(self.directory, name + layout.ARRAY_ENDING, "is missing")
        return self._arrays[name]

    def arrays(self, names: Mapping[str, str]) -> dict[str, NDArray[Any]]:
        """Returns several arrays of the index; `names` maps the keys of the result to names of arrays."""
        return {key: self.array(name) for key, name in names.items()}


def is_build(directory: Path) -> bool:
    """Tells whether a directory is the directory of one build, and not of a whole index."""
    is_named = bool(layout.BUILD_NAME.fullmatch(directory.name))
    return is_named and directory.is_dir() and not (directory / layout.CURRENT).exists()


def _read_pointer(directory: Path) -> tuple[str, str]:
    """Reads from `CURRENT` the name of the live build and the checksum of the live build's manifest."""
    try:
        file = HeldFile(directory / layout.CURRENT)
        content = file.read(POINTER_SIZE)
    except _MISSING as error:
        raise ArtifactNotFoundError(
            f"There is no index at {directory}; build one with: {_BUILD_COMMAND} --output {directory}"
        ) from error
    except OSError as error:
        raise _unreadable(directory / layout.CURRENT, error) from error
    try:
        return parse_pointer(content)
    except ValueError as error:
        raise _corrupt(directory, layout.CURRENT, str(error)) from error


def parse_pointer(content: bytes) -> tuple[str, str]:
    """Returns the live build's name and the checksum of the build's manifest, as the file CURRENT says.

    Raises:
        ValueError: the bytes are damaged.
    """
    pointer = _POINTER.fullmatch(content)
    if not pointer:
        raise ValueError("is damaged")
    return pointer[1].decode(), pointer[2].decode()


def _hold(directory: Path, build: str, name: str, inside: int) -> HeldFile:
    """Opens a file of a build; `inside` is the file descriptor of the build's open directory."""
    try:
        return HeldFile(name, inside)
    except _MISSING as error:
        raise _corrupt(directory, f"{build}/{name}", "is missing") from error
    except OSError as error:
        raise _unreadable(directory / build / name, error) from error


def _read_manifest(
    directory: Path, build: str, inside: int, digest: str | None
) -> tuple[dict[str, Any], str]:
    """Reads the manifest of a build, and checks its digest; returns the manifest and the digest."""
    file = _hold(directory, build, layout.MANIFEST, inside)
    if file.size > LARGEST:
        raise _corrupt(directory, layout.MANIFEST, f"has {file.size:,} bytes, more than a manifest can have")
    content = file.read(LARGEST)
    try:
        manifest = parse_manifest(content)
    except ValueError as error:
        raise _corrupt(directory, layout.MANIFEST, f"is damaged: it {error}") from error
    # The format version is checked before the checksum, since another version may compute checksums in
    # another way.
    version = manifest[layout.VERSION_ENTRY]
    if version != layout.FORMAT_VERSION or isinstance(version, bool):
        package = str(manifest.get(layout.PACKAGE_ENTRY, "unknown"))
        raise ArtifactVersionError(
            f"The index at {directory} has format version {str(version)[:20]}, but this package reads "
            f"version {layout.FORMAT_VERSION}; build it again with: {_BUILD_COMMAND} --output {directory}, "
            f"or install the movie-engine that wrote it ({package[:20]})"
        )
    found = hashlib.sha256(content).hexdigest()
    if digest not in (None, found):
        raise _corrupt(directory, layout.MANIFEST, "has changed since it was built")
    try:
        check_manifest(manifest)
    except ValueError as error:
        raise _corrupt(directory, layout.MANIFEST, str(error)) from error
    return manifest, found


def _corrupt(directory: Path, name: str, fault: str) -> ArtifactCorruptError:
    return ArtifactCorruptError(
        f"The index at {directory} is damaged: {name} {fault}; restore it from a copy or build it again "
        f"with: {_BUILD_COMMAND} --output {directory}"
    )


def _unreadable(path: Path, error: OSError) -> ArtifactError:
    return ArtifactError(f"Cannot read {path}: {error.strerror or error}")
