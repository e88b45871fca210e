"""Lists the builds that an index directory keeps, makes another build live, and removes surplus builds.

The manifest of each build names the build's predecessor, which is the build that was live when the new build
was written. The live build, its predecessor, the predecessor of the predecessor and so on form a chain. By
default, a rollback makes the predecessor of the live build live again. An index may keep builds that are
neither live nor in the chain of predecessors: builds that a rollback replaced, and builds that never became
live.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.artifact import layout
from engine.artifact.databases import drop_unused, follow_live
from engine.artifact.files import checksum, flush
from engine.artifact.locks import take_lock
from engine.artifact.manifest import LARGEST, parse_manifest
from engine.artifact.reader import Artifact, is_build
from engine.errors import ArtifactError, ArtifactNotFoundError, shown

logger = logging.getLogger(__name__)

KEPT = 2
"""The number of builds that an index directory keeps if neither a command nor the newest build says another
number."""
_SECONDS = 20.0
"""The number of seconds for which a process waits for the lock `LIVE_LOCK`, which other processes hold only
for a moment."""


@dataclass(frozen=True)
class KeptBuild:
    """Describes a build that an index directory keeps."""

    name: str
    is_live: bool
    before: str | None
    """The name of the build that was live when the described build was written; None if no build was live."""
    manifest: dict[str, Any]
    """The manifest of the build; empty if the manifest cannot be read."""
    num_bytes: int
    """The size of all files of the build, in bytes."""
    num_bytes_alone: int
    """The number of bytes that deleting the build would free; files that the build shares with other builds
    do not count."""

    @property
    def created(self) -> str | None:
        """Returns the time at which the build was made, in ISO 8601; None if the manifest is unreadable."""
        return self.manifest.get(layout.CREATED_ENTRY)

    @property
    def refused(self) -> str | None:
        """Returns the reason why the finished build did not become live; None if there is no reason."""
        return self.manifest.get(layout.REFUSED_ENTRY)


def live_build(directory: Path) -> str:
    """Returns the name of the live build of an index, or an empty text if the index has no live build."""
    try:
        return (directory / layout.CURRENT).read_text(encoding="utf-8", errors="replace").partition(" ")[0]
    except OSError:
        return ""


def kept_builds(directory: Path) -> list[KeptBuild]:
    """Lists the builds of an index: the live build, then its predecessors, newest first, then other builds.

    Raises:
        ArtifactNotFoundError: the directory holds no index.
    """
    live = live_build(directory)
    if not live:
        raise ArtifactNotFoundError(f"There is no index at {directory}")
    names = _names(directory)
    found = {name: _read_build(directory, name, name == live, names) for name in names}
    return [found[name] for name in _in_order(found, live)]


def roll_back(directory: Path | str, to: str | None = None) -> tuple[KeptBuild, str]:
    """Makes another kept build of an index live, by default the build before the live build.

    The file CURRENT names the live build. A rollback replaces the file CURRENT in one step, so that a program
    that opens the index always finds one whole build. A rollback is possible even while another command
    builds or updates the index. An update that started before the rollback fails at its end, because the
    update is based on a build that is no longer live. A rollback does not stop a command that builds the
    index anew from source files. When a command that builds the index anew is complete, its build becomes
    live, also after a rollback.

    Args:
        directory: the directory of the index.
        to: the name of the build that becomes live; by default, the build before the live build.

    Returns:
        The build that is live now, and the name of the build that was live before the rollback.

    Raises:
        ArtifactError: the directory holds no index; the build `to` does not exist or cannot be opened; no
            build precedes the live build.
    """
    directory = Path(directory)
    kept_builds(directory)  # In a directory without an index, nothing may be written, not even a lock.
    with changing_live(directory):
        builds = kept_builds(directory)
        live, others = live_build(directory), {build.name: build for build in builds if not build.is_live}
        if to == live:
            raise ArtifactError(f"{live} is the live build of {directory} already; name another with --to")
        chosen = others.get(to or _name_before(builds, live) or "")
        if chosen is None:
            kept = f"it keeps {', '.join(others)}" if others else "it keeps no other build"
            what = f"no build {shown(to)}" if to else f"no build before the live {live}"
            more = "" if to else ", and --keep N of the commands that make builds keeps more builds"
            raise ArtifactError(f"{directory} has {what}, so nothing was changed; {kept}{more}")
        Artifact.open(directory, build=chosen.name)
        point_to(directory, chosen.name)
    logger.info("Rolled %s back from %s to %s", directory, live, chosen.name)
    return chosen, live


@contextmanager
def changing_live(directory: Path) -> Iterator[None]:
    """Waits for the lock that is needed to change the live build, and holds the lock in a `with` statement.

    Raises:
        ArtifactError: another command holds the lock for more than `_SECONDS` seconds; the directory cannot
            be written to.
    """
    until = time.monotonic() + _SECONDS
    try:
        while (handle := take_lock(directory / layout.LIVE_LOCK, os.O_RDWR | os.O_CREAT)) is None:
            if time.monotonic() > until:
                raise ArtifactError(
                    f"Another command is changing the live build of {directory}; try again in a moment"
                )
            time.sleep(0.02)
    except OSError as error:
        raise ArtifactError(f"Cannot change the live build of {directory}: {error.strerror}") from error
    try:
        yield
    finally:
        os.close(handle)


def point_to(directory: Path, name: str) -> None:
    """Makes a build live; the caller must hold the lock that `changing_live` takes.

    Raises:
        OSError: the directory cannot be written to.
    """
    follow_live(directory, name)
    pointer = directory / f"{layout.PARTIAL}{layout.CURRENT}"
    pointer.write_text(f"{name} {checksum(directory / name / layout.MANIFEST)}\n", encoding="utf-8")
    flush(pointer)
    pointer.replace(directory / layout.CURRENT)
    flush(directory)


def number_to_keep(directory: Path) -> int:
    """Returns the number of builds that the index keeps, as the manifest of the newest build says."""
    for name in _names(directory):
        keep = _manifest(directory / name).get(layout.KEEP_ENTRY)
        if isinstance(keep, int) and keep >= 1:
            return keep
    return KEPT


def remove_surplus(directory: Path, keep: int, spare: Collection[str] = ()) -> None:
    """Removes all builds except the first `keep` builds of `kept_builds` and the builds named in `spare`.

    A program that has a removed build open continues to read the build. The caller must hold the lock that
    `changing_live` takes.
    """
    for build in kept_builds(directory)[keep:]:
        if build.name not in spare:
            shutil.rmtree(directory / build.name, ignore_errors=True)
    drop_unused(directory)


def _names(directory: Path) -> list[str]:
    """Returns the names of all builds in a directory, the newest first."""
    found = [path for path in directory.iterdir() if is_build(path)]
    # The time in a build's name has whole seconds, so the time of modification orders builds of the same
    # second.
    found.sort(key=lambda path: (_time_in(path.name), path.stat().st_mtime_ns), reverse=True)
    return [path.name for path in found]


def _time_in(name: str) -> str:
    """Returns the time in a build's name as text; a later time sorts later."""
    return name.split("-")[1]


def _read_build(directory: Path, name: str, is_live: bool, names: Sequence[str]) -> KeptBuild:
    """Describes a build; `names` holds the names of all builds, the newest first."""
    manifest = _manifest(directory / name)
    before = manifest.get(layout.BEFORE_ENTRY)
    if layout.BEFORE_ENTRY not in manifest:
        # Manifests of older versions do not name the build that was live before.
        before = next(iter(names[names.index(name) + 1 :]), None)
    sizes = [path.lstat() for path in (directory / name).iterdir()]
    alone = sum(status.st_size for status in sizes if status.st_nlink == 1)
    return KeptBuild(name, is_live, before, manifest, sum(status.st_size for status in sizes), alone)


def _manifest(build: Path) -> dict[str, Any]:
    try:
        path = build / layout.MANIFEST
        return parse_manifest(path.read_bytes()) if path.stat().st_size <= LARGEST else {}
    except (OSError, ValueError):
        return {}


def _name_before(builds: Sequence[KeptBuild], live: str) -> str | None:
    """Returns the name of the build before the live build, also if the live build is damaged or missing."""
    for build in builds:
        if build.is_live:
            return build.before
    names = [build.name for build in builds if build.refused is None]
    until = _time_in(live) if layout.BUILD_NAME.fullmatch(live) else "T"
    return next((name for name in names if _time_in(name) <= until), None)


def _in_order(builds: dict[str, KeptBuild], live: str) -> list[str]:
    """Returns the names of the live build and its predecessors, newest first, then all other names."""
    chain: list[str] = []
    name: str | None = live
    while name in builds and name not in chain:
        chain.append(name)
        name = builds[name].before
    return [*chain, *(name for name in builds if name not in chain)]
