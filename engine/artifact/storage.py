"""Reads and writes files in remote storage, such as s3://bucket/index, through fsspec."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from engine.artifact import layout
from engine.artifact.reader import POINTER_SIZE, parse_pointer
from engine.errors import ArtifactCorruptError, ArtifactError, ArtifactNotFoundError, ConfigError, EngineError

_BLOCK = 1 << 20
"""The number of bytes that are copied in one step."""


class Storage:
    """Reads and writes the files of an index, or of recommendation lists, in a remote folder.

    Args:
        url: the address of the folder, such as s3://bucket/index.

    Raises:
        ConfigError: the scheme of the address is unknown; the package for the scheme is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            from fsspec.core import url_to_fs

            self._system, self._root = url_to_fs(self.url)
        except ImportError as error:
            raise missing_package(url, error) from error
        except ValueError as error:
            raise ConfigError(f"{url} does not name storage that can be used: {error}") from error
        self._system.invalidate_cache()

    def live(self) -> tuple[str, str]:
        """Returns the name and the digest of the live build; raises ArtifactError if no build is live."""
        try:
            return parse_pointer(self.read(layout.CURRENT, POINTER_SIZE))
        except ValueError as error:
            raise ArtifactCorruptError(
                f"The index at {self.url} is damaged: {layout.CURRENT} is; push the index again"
            ) from error

    def size(self, name: str) -> int | None:
        """Returns the number of bytes of a file, or None if the folder has no file `name`."""
        with self._reaching():
            try:
                return int(self._system.info(self._path(name))["size"])
            except FileNotFoundError:
                return None

    def read(self, name: str, most: int) -> bytes:
        """Returns the bytes of a small file; raises ArtifactError if the file is missing or too large."""
        content = BytesIO()
        for block in self.blocks(name):
            content.write(block)
            if content.tell() > most:
                raise ArtifactCorruptError(f"The index at {self.url} is damaged: {name} is too large")
        return content.getvalue()

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yields the bytes of a file in blocks; raises ArtifactError if the file is missing."""
        with self._reaching():
            try:
                file = self._system.open(self._path(name), "rb")
            except FileNotFoundError as error:
                if name == layout.CURRENT:
                    raise ArtifactNotFoundError(
                        f"There is no index at {self.url}; copy one there with: engine push DIR {self.url}"
                    ) from error
                raise ArtifactCorruptError(
                    f"The index at {self.url} is damaged: {name} is missing; push the index again"
                ) from error
            with file:
                while block := file.read(_BLOCK):
                    yield block

    def write(self, name: str, source: BinaryIO) -> None:
        """Writes a file in such a way that a reader sees the whole file or no file."""
        from fsspec.implementations.local import LocalFileSystem

        path = self._path(name)
        with self._reaching():
            self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
            if isinstance(self._system, LocalFileSystem):
                _write_on_disk(Path(path), source)
                return
            with self._system.transaction, self._system.open(path, "wb") as target:
                shutil.copyfileobj(source, target, _BLOCK)

    def sizes(self) -> dict[str, int]:
        """Returns the number of bytes of each file in the folder, by name; empty if the folder is missing."""
        with self._reaching():
            self._system.invalidate_cache()
            try:
                found = self._system.ls(self._root, detail=True)
            except FileNotFoundError:
                return {}
            return {one["name"].rstrip("/").rpartition("/")[2]: int(one["size"] or 0) for one in found}

    def remove(self, name: str) -> None:
        """Removes a file, or a folder with all its files."""
        with self._reaching():
            self._system.rm(self._path(name), recursive=True)

    def remove_builds(self, keep: Collection[str]) -> None:
        """Removes all builds except the builds named in `keep`."""
        for name in self.sizes():
            if layout.BUILD_NAME.fullmatch(name) and name not in keep:
                self.remove(name)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Converts any error of the remote storage in a `with` statement to an ArtifactError."""
        try:
            yield
        except EngineError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ArtifactError(
                f"Cannot reach {self.url}: {reason}; check the address, the credentials and the network"
            ) from error


def _write_on_disk(path: Path, source: BinaryIO) -> None:
    """Writes the file `path` on a local disk, without the library fsspec.

    If the process is killed, fsspec leaves an unfinished file in the system's folder for temporary files.
    This function leaves the unfinished file beside `path`, and the next `push` replaces the unfinished file.
    """
    partial = path.with_name(f"{layout.PARTIAL}{path.name}")
    try:
        with partial.open("wb") as target:
            shutil.copyfileobj(source, target, _BLOCK)
            target.flush()
            os.fsync(target.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def missing_package(url: str, error: ImportError) -> ConfigError:
    """Returns the error to raise if the package that a URL needs is not installed."""
    return ConfigError(
        f"{url} needs a package that is not installed ({error}); install it with: "
        "pip install 'movie-engine[remote]', and the package that fsspec names for other schemes than s3"
    )
