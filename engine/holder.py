"""Holds the opened build of an index; the method `reload` switches to a newer build."""

from __future__ import annotations

import threading
from os import PathLike
from pathlib import Path
from typing import Self

from engine.artifact.reader import Artifact
from engine.errors import ConfigError, shown
from engine.opened import OpenedIndex
from engine.tables.facts import Facts


class IndexHolder:
    """Holds one build of an index open; the methods of the subclass `Engine` answer questions from the build.

    Args:
        artifact: the opened files of one build; the method `load` opens the live build of an index directory.
        url: the address in remote storage from which the index was pulled; None for an index in a directory.
    """

    def __init__(self, artifact: Artifact, url: str | None = None) -> None:
        if not isinstance(artifact, Artifact):
            name = type(self).__name__
            raise ConfigError(
                f"{name}(...) takes the opened files of an index, not {shown(artifact)}; open an index with "
                f"{name}.load, such as {name}.load('movie-index')"
            )
        self._url = url
        # Every method reads this attribute only once, so that a `reload` in another thread never mixes two
        # builds.
        self._index = _opened(artifact)
        self._reloading = threading.Lock()

    @classmethod
    def load(cls, directory: Path | str, *, expect: str | None = None) -> Self:
        """Opens the live build of an index.

        Args:
            directory: the directory of the index; or a URL such as s3://bucket/index, from which the index is
                copied into the user's cache (needs the extra `remote`).
            expect: the digest that the index must have, as `engine info` prints it. If `expect` is given, the
                checksums of all files of the index are checked; otherwise the checksums are checked only if
                the index is small.

        Raises:
            ArtifactError: the directory holds no index; the index is damaged; the index has a format version
                that this package does not read; or the digest of the index differs from `expect`.
            ConfigError: `directory` is not a path.
        """
        if not isinstance(directory, str | PathLike):
            raise ConfigError(f"The directory of an index must be a path but is {shown(directory)}")
        if not isinstance(directory, str) or "://" not in directory:
            return cls(Artifact.open(directory, expect=expect))
        from engine.artifact.remote import cached

        return cls(Artifact.open(cached(directory, expect=expect)), directory)

    @property
    def index(self) -> OpenedIndex:
        """Returns the object that holds the components of the index, such as the model and the catalogue."""
        return self._index

    @property
    def build(self) -> str:
        """Returns the name of the opened build, such as build-20260102T030405-a1b2c3."""
        return self._index.artifact.build_directory.name

    @property
    def is_current(self) -> bool:
        """Tells whether the opened build is still the live build of the index directory or URL.

        Raises:
            ArtifactError: the index directory or the remote storage cannot be read.
        """
        if self._url is None:
            return self._index.artifact.is_live()
        from engine.artifact.storage import Storage

        return Storage(self._url).live() == (self.build, self._index.artifact.digest)

    def reload(self, *, expect: str | None = None) -> bool:
        """Switches this engine to the live build of its index directory; tells whether the build changed.

        While `reload` runs, other threads may ask questions. Questions that began before the switch are
        answered from the old build, and later questions from the new build. If the new build cannot be
        opened, the engine continues with the old build. To answer several questions from one build, copy the
        engine with `copy.copy(engine)`: `reload` of the original does not change the build of the copy.

        Args:
            expect: the digest that the new build must have, as `engine info` prints it.

        Raises:
            ArtifactError: the index directory or the remote storage cannot be read; or the new build cannot
                be opened.
        """
        with self._reloading:
            if self.is_current:
                return False
            if self._url is not None:
                from engine.artifact.remote import cached

                cached(self._url, expect=expect)
            before = self._index
            after = _opened(Artifact.open(before.artifact.home, expect=expect))
            if before.journal is not None:
                after.follow(before.journal)
            self._index = after
            return True

    @property
    def num_reviewers(self) -> int:
        """Returns the number of reviewers in the index."""
        return len(self._index.reviewers)

    @property
    def num_movies(self) -> int:
        """Returns the number of movies in the index."""
        return len(self._index.movies)

    def info(self) -> Facts:
        """Returns the directory and the digest of the index, and the manifest of the opened build."""
        artifact = self._index.artifact
        return Facts({"directory": str(artifact.directory), "digest": artifact.digest, **artifact.manifest})


def _opened(artifact: Artifact) -> OpenedIndex:
    """Opens the components of a build that every top list needs; fails if one of them is damaged."""
    index = OpenedIndex(artifact)
    _ = index.reviewers, index.lists
    return index
