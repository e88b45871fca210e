"""Copies indexes to and from remote storage, such as s3://bucket/index, and checks every copied file.

An index has the same files in remote storage as on a disk: the file CURRENT names the live build, and each
build has a folder. The file CURRENT is written last, so that a reader of the storage never sees half a build.
A copy that starts after an interrupted copy skips the files that were copied completely.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from engine.artifact import layout
from engine.artifact.builds import (
    changing_live,
    kept_builds,
    live_build,
    number_to_keep,
    point_to,
    remove_surplus,
)
from engine.artifact.databases import require_server
from engine.artifact.files import checksum, flush
from engine.artifact.locks import remove_folder, remove_leftovers, take_lock
from engine.artifact.manifest import LARGEST, check_manifest, parse_manifest
from engine.artifact.reader import Artifact
from engine.artifact.storage import Storage, missing_package
from engine.artifact.writer import check_content, check_space, unwritable
from engine.errors import ArtifactCorruptError, ArtifactError, ArtifactNotFoundError

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN = 0.2
"""The number of seconds between two tries to lock a directory that another process writes to."""


@dataclass(frozen=True)
class Transfer:
    """Describes a build that was copied to or from remote storage."""

    build: str
    """The name of the build."""
    digest: str
    """The digest of the build, as `engine info` prints it."""
    num_copied: int
    """The number of files that were copied; files that the target already had do not count."""
    num_bytes: int
    """The number of bytes in the files that were copied."""


def push(directory: Path | str, url: str) -> Transfer:
    """Copies the live build of an index to remote storage, and makes the build live in remote storage.

    Remote storage keeps the builds that the index directory keeps, and the build that was live in remote
    storage before the call; `push` removes all other builds.

    Args:
        directory: the directory of the index.
        url: the address of the index in remote storage, such as s3://bucket/index, with a scheme (here s3)
            that the package fsspec knows.

    Raises:
        ArtifactError: the directory holds no index; the index is damaged; the storage cannot be reached.
        ConfigError: the scheme of the URL is unknown; the package for the scheme is not installed.
    """
    artifact = Artifact.open(directory)
    artifact.verify()
    require_server(artifact, "cannot be pushed;")
    storage = Storage(url)
    build = artifact.build_directory.name
    try:
        before, _ = storage.live()
    except (ArtifactNotFoundError, ArtifactCorruptError):
        before = build
    copied = []
    for name, size in [
        *((name, entry["size"]) for name, entry in artifact.files.items()),
        (layout.MANIFEST, (artifact.build_directory / layout.MANIFEST).stat().st_size),
    ]:
        if storage.size(f"{build}/{name}") != size:
            logger.info("Copying %s (%s bytes)", name, f"{size:,}")
            with (artifact.build_directory / name).open("rb") as source:
                storage.write(f"{build}/{name}", source)
            copied.append(size)
    storage.write(layout.CURRENT, BytesIO(f"{build} {artifact.digest}\n".encode()))
    storage.remove_builds(keep={build, before, *(kept.name for kept in kept_builds(artifact.home))})
    return Transfer(build, artifact.digest, len(copied), sum(copied))


def pull(url: str, directory: Path, *, expect: str | None = None, wait: bool = False) -> Transfer:
    """Copies the live build of an index from remote storage, checks it, and makes it live in a directory.

    The build that was live in the directory stays live until the new build is complete. If a copy was
    interrupted, the next call copies only the missing files. Nothing is copied if the directory already holds
    the build.

    Args:
        url: the address of the index in remote storage, such as s3://bucket/index, with a scheme (here s3)
            that the package fsspec knows.
        directory: the index directory; `pull` makes a missing directory.
        expect: the digest that the build must have, as `engine info` prints it.
        wait: whether to wait while another process writes to the directory; if False, `pull` raises
            ArtifactError.

    Raises:
        ArtifactNotFoundError: the storage holds no index.
        ArtifactCorruptError: a file in the storage is damaged; the digest of the build is not `expect`.
        ArtifactError: the storage cannot be reached; the directory cannot be written to.
        ConfigError: the scheme of the URL is unknown; the package for the scheme is not installed.
    """
    storage = Storage(url)
    build, digest = storage.live()
    if expect is not None and digest != expect.strip().lower():
        raise ArtifactCorruptError(
            f"The index at {url} is not the expected one: its digest is {digest}, not {expect[:80]}; get it "
            "from a source that you trust, or check the digest"
        )
    with _writing(directory, wait):
        try:
            if live_build(directory) == build and Artifact.open(directory).digest == digest:
                return Transfer(build, digest, 0, 0)
        except ArtifactError:
            logger.warning("The index at %s is damaged; it is copied again from %s", directory, url)
        try:
            return _pull_build(storage, directory, build, digest)
        except OSError as error:
            raise unwritable(directory, error) from error


def _pull_build(storage: Storage, directory: Path, build: str, digest: str) -> Transfer:
    """Copies a build from remote storage to a directory that this process has locked; makes it live."""
    copied: list[int] = []
    remove_leftovers(directory)
    for interrupted in (directory / layout.WORK).glob("pulled-*"):
        if interrupted.name != f"pulled-{build}":
            shutil.rmtree(interrupted, ignore_errors=True)
    if not _is_whole(directory, build, digest):
        content = storage.read(f"{build}/{layout.MANIFEST}", LARGEST)
        entries = _checked_manifest(content, digest, storage.url)[layout.FILES_ENTRY]
        check_space(directory, sum(entry["size"] for entry in entries.values()))
        folder = directory / layout.WORK / f"pulled-{build}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, entry in entries.items():
            path = folder / name
            if not path.is_file() or checksum(path) != entry["sha256"]:
                logger.info("Copying %s (%s bytes)", name, f"{entry['size']:,}")
                _copy_file(storage, f"{build}/{name}", path, entry)
                copied.append(entry["size"])
        (folder / layout.MANIFEST).write_bytes(content)
        for path in [*folder.iterdir(), folder]:
            flush(path)
        if (directory / build).exists():
            remove_folder(directory / build)
        folder.rename(directory / build)
        Artifact.open(directory, build=build)
    with suppress(OSError):
        # The folder stays if it is not empty, because other work may be kept in it.
        (directory / layout.WORK).rmdir()
    with changing_live(directory):
        keep = number_to_keep(directory)
        point_to(directory, build)
        remove_surplus(directory, keep)
    return Transfer(build, digest, len(copied), sum(copied))


def _is_whole(directory: Path, build: str, digest: str) -> bool:
    """Tells whether a directory holds the build with the given digest, undamaged."""
    try:
        artifact = Artifact.open(directory, build=build)
        artifact.verify()
    except ArtifactError:
        return False
    return artifact.digest == digest


def cached(url: str, *, expect: str | None = None) -> Path:
    """Returns the directory of an index in the user's cache; copies the index there if it is missing.

    Raises:
        EngineError: the index cannot be pulled; the docstring of `pull` lists the errors.
    """
    try:
        from platformdirs import user_cache_path
    except ImportError as error:
        raise missing_package(url, error) from error
    place = user_cache_path("movie-engine") / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:16]
    pull(url, place, expect=expect, wait=True)
    return place


def _checked_manifest(content: bytes, digest: str, url: str) -> dict[str, Any]:
    try:
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError("has changed since it was built")
        manifest = parse_manifest(content)
        if manifest[layout.VERSION_ENTRY] == layout.FORMAT_VERSION:
            check_manifest(manifest)
            return manifest
    except ValueError as error:
        raise ArtifactCorruptError(
            f"The index at {url} is damaged: {layout.MANIFEST} {error}; push the index again"
        ) from error
    raise ArtifactError(
        f"The index at {url} has format version {str(manifest[layout.VERSION_ENTRY])[:20]}, but this package "
        f"reads version {layout.FORMAT_VERSION}; install the movie-engine that wrote it"
    )


def _copy_file(storage: Storage, name: str, path: Path, entry: dict[str, Any]) -> None:
    """Copies a file from remote storage to a temporary name, checks the SHA-256, and renames the copy."""
    partial = path.with_name(f"{layout.PARTIAL}{path.name}")
    digest, size = hashlib.sha256(), 0
    try:
        with partial.open("wb") as target:
            for block in storage.blocks(name):
                size += len(block)
                if size > entry["size"]:
                    break
                digest.update(block)
                target.write(block)
        if (size, digest.hexdigest()) != (entry["size"], entry["sha256"]):
            raise ArtifactCorruptError(
                f"The index at {storage.url} is damaged: {name} has changed since it was built; push it again"
            )
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _writing(directory: Path, wait: bool) -> Iterator[None]:
    """Makes the directory of an index if the directory is missing, and locks it during a `with` statement."""
    try:
        check_content(directory)
        directory.mkdir(parents=True, exist_ok=True)
        while (handle := take_lock(directory / layout.LOCK, os.O_RDWR | os.O_CREAT)) is None:
            if not wait:
                raise ArtifactError(f"Another command is writing to {directory}; wait until it ends")
            time.sleep(_SECONDS_BETWEEN)
    except OSError as error:
        raise unwritable(directory, error) from error
    try:
        yield
    finally:
        os.close(handle)
