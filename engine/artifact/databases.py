"""Keeps track of the collections of movie vectors that an index has in a vector database.

A build holds either a file of movie vectors, or the address of a collection of movie vectors in a database. A
file of notes in the index directory lists the collections that were made for the index, and the alias (second
name) that the database gives to the collection of the live build. The function `drop_unused` removes each
collection that no build in the index directory needs. Commands that work on a copy of an index directory
change neither the collections nor the alias that the original index directory has on a database server.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engine.artifact import layout
from engine.artifact.files import flush
from engine.artifact.reader import Artifact, is_build
from engine.errors import ArtifactCorruptError, ArtifactError

if TYPE_CHECKING:
    from indexes.database import Database
    from indexes.milvus_index import Address

logger = logging.getLogger(__name__)

BESIDE = f"../{layout.EMBEDDED}"
"""The path of the embedded database of an index, relative to the folder of a build."""


@dataclass
class _Notes:
    """Holds the content of the file `.collections.json`, which notes the collections made for an index."""

    directory: str
    """The path of the index directory for which the collections were made. If the file `.collections.json`
    lies in an index directory whose path is not `directory`, the engine takes that index directory for a
    copy. In a copy of an index directory, the engine ignores what `.collections.json` says about collections
    on database servers. In a copy of an index directory, the engine uses only what `.collections.json` says
    about the copy's embedded database."""
    alias: str
    live: list[str] | None = None
    """The collection to which the alias (second name) `alias` points, as a list of two texts: the address of
    the database, and the name of the collection. None if `alias` points to no collection."""
    made: list[list[str]] = field(default_factory=list)
    """For each collection that was made for the index and still exists, the address of the database and the
    name of the collection."""

    @classmethod
    def read(cls, directory: Path) -> _Notes | None:
        """Reads the notes of a directory; returns None if the file of notes is missing or unusable."""
        try:
            notes = cls(**json.loads((directory / layout.COLLECTIONS).read_bytes()))
            pairs = [*notes.made, *([] if notes.live is None else [notes.live])]
            if not all(isinstance(text, str) for pair in pairs for text in (*pair, notes.alias)):
                return None
            if not all(len(pair) == 2 for pair in pairs):
                return None
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        if notes.directory != str(directory.absolute()):
            notes.made = [pair for pair in notes.made if pair[0] == BESIDE]
            notes.live = None if notes.live is None or notes.live[0] != BESIDE else notes.live
        return notes

    def write(self, directory: Path) -> None:
        partial = directory / f"{layout.PARTIAL}{layout.COLLECTIONS}"
        partial.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        flush(partial)
        partial.replace(directory / layout.COLLECTIONS)


def require_server(artifact: Artifact, why: str) -> None:
    """Checks that the vectors of a build are not in an embedded database; `why` continues the error message.

    Raises:
        ArtifactError: the vectors of the build are in an embedded database.
    """
    address = _address_of(artifact.build_directory)
    if address is not None and "://" not in address.uri:
        raise ArtifactError(
            f"The index {artifact.directory} has its vectors in an embedded database, which {why} use a "
            "server (engine reindex --kind milvus --uri http://HOST:PORT) or a file (engine reindex --kind "
            "auto)"
        )


def new_collection(directory: Path, build: str, uri: str) -> str:
    """Chooses the name of a collection that a build is about to make, and notes the name.

    The caller must hold the lock on the index directory.
    """
    notes = _Notes.read(directory)
    if notes is None or notes.directory != str(directory.absolute()):
        name = re.sub("[^A-Za-z0-9]+", "_", directory.absolute().name)[:80].strip("_")
        alias = f"movie_engine_{name}_{secrets.token_hex(3)}"
        beside = [] if notes is None else notes.made
        notes = _Notes(str(directory.absolute()), alias, made=beside)
    collection = f"{notes.alias}_{build.replace('-', '_')}"
    notes.made.append([uri, collection])
    notes.write(directory)
    return collection


def alias_of(directory: Path) -> str | None:
    """Returns the alias of the live build's collection, or None if no collection was made for the index."""
    notes = _Notes.read(directory)
    return None if notes is None else notes.alias


def follow_live(directory: Path, build: str) -> None:
    """Points the alias of an index in the vector database to the collection of the next live build.

    Raises:
        ArtifactError: the database of the build cannot be reached; the address of the database is damaged.
    """
    notes = _Notes.read(directory)
    if notes is None or notes.directory != str(directory.absolute()):
        return
    try:
        address = _address_of(directory / build)
    except ValueError as error:
        raise ArtifactCorruptError(f"The build {build} of {directory} cannot be used: {error}") from error
    wanted = None if address is None else [address.uri, address.collection]
    if wanted == notes.live:
        return
    if notes.live is not None and (wanted is None or wanted[0] != notes.live[0]):
        try:
            with _connected(directory, notes.live[0]) as database:
                database.point(notes.alias, None)
        except ArtifactError as error:
            logger.warning("The alias %s stays in the vector database: %s", notes.alias, error)
            if wanted is None:
                return  # The next change of the live build tries again to remove the alias.
    if wanted is not None:
        with _connected(directory, wanted[0]) as database:
            database.point(notes.alias, wanted[1])
    notes.live = wanted
    notes.write(directory)


def drop_unused(directory: Path) -> None:
    """Removes the collections that no build of an index needs any more.

    The file `.collections.json` in the index directory lists the collections that were made for the index. A
    collection that cannot be removed stays in the file `.collections.json`, and the next command tries again
    to remove the collection. The caller must hold the lock on the index directory, or the lock that
    `changing_live` takes.
    """
    notes = _Notes.read(directory)
    if notes is None:
        return
    try:
        needed = {tuple(pair) for pair in _needed(directory)}
    except ValueError:
        # If an address is damaged, it is unknown which collection the build needs, so no collection is
        # removed.
        return
    unused = [pair for pair in notes.made if tuple(pair) not in needed]
    for pair in unused:
        uri, collection = pair
        try:
            if uri != BESIDE or (directory / layout.EMBEDDED).exists():
                with _connected(directory, uri) as database:
                    database.drop(collection)
        except ArtifactError as error:
            logger.warning("The collection %s stays in the vector database: %s", collection, error)
        else:
            notes.made.remove(pair)
    if unused:
        notes.write(directory)
    if not notes.made and notes.live is None and notes.directory == str(directory.absolute()):
        forget_database(directory)


def forget_database(directory: Path) -> None:
    """Removes an index's embedded database, and the file `.collections.json`, which notes the collections."""
    (directory / layout.COLLECTIONS).unlink(missing_ok=True)
    if (directory / layout.EMBEDDED).is_dir():
        from indexes.database import remove_embedded

        remove_embedded(directory / layout.EMBEDDED)


def _needed(directory: Path) -> Iterator[list[str]]:
    for path in directory.iterdir():
        if is_build(path) and (path / layout.ADDRESS_FILE).exists():
            address = _address_of(path)
            if address is not None:
                yield [address.uri, address.collection]


def _address_of(build: Path) -> Address | None:
    """Returns the address of a build's vectors, or None if the build has its vectors in a file.

    Raises:
        ValueError: the file `movies.milvus.json` of the build, which holds the address, is damaged.
    """
    from indexes.milvus_index import Address

    path = build / layout.ADDRESS_FILE
    return Address.read(path) if path.exists() else None


@contextmanager
def _connected(directory: Path, uri: str) -> Iterator[Database]:
    """Yields a connection to the vector database at the address `uri`, for use in a `with` statement.

    If `uri` is the path of an embedded database, such as `../vectors.db`, the path is relative to the folder
    of any build in the index directory `directory`.

    Raises:
        ArtifactError: the database cannot be reached.
    """
    from indexes.base import VectorDatabaseError
    from indexes.database import Database, place_of

    try:
        yield Database(place_of(uri, directory.absolute() / "build"))
    except VectorDatabaseError as error:
        raise ArtifactError(_sentence(error, directory)) from error


def _sentence(error: Exception, directory: Path) -> str:
    return str(error).replace(f"{directory.absolute()}/", f"{directory}/")
