"""Defines every class of errors that the engine raises on purpose, as one tree of subclasses.

    EngineError                    the base class of every error that the engine raises on purpose
    |- ConfigError                 a setting is unknown or out of range
    |- DataError                   the source or the tables are not as expected
    |  |- SourceError              a file is missing, unreadable or malformed (path, line)
    |  `- CheckFailedError         a check query found faulty rows (name, count, rows)
    |- TrainingError               the loss is not finite, or there is nothing to train on
    |- IndexQualityError           the search finds too few of the best movies (got, wanted)
    |- NotPublishedError           a build does not meet the condition under which it would become live
    |- ArtifactError               a built index cannot be used
    |  |- ArtifactNotFoundError    a directory holds no index
    |  |- ArtifactVersionError     the index was written in another format version
    |  `- ArtifactCorruptError     a file of the index is missing, truncated or changed
    |- FilterError                 a filter is not a plain SQL condition over the known columns
    |- TitleError                  a title matches no movie, or several movies
    `- UnknownIdError              the index does not hold a reviewer or movie

The text of an error is one sentence for the user; the error's attributes hold the facts that this text names.
Only `engine/cli/main.py` turns errors into exit codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

_LONGEST_TITLE = 100
"""The largest number of characters of a title that the text of a TitleError shows."""
_MOST_NAMED = 10
"""The largest number of movies that the text of a TitleError names."""


def shown(value: object, longest: int = 60) -> str:
    """Returns the `repr` of a value, cut to `longest` characters, for the text of an error.

    >>> shown("Laura"), shown(True), shown("x" * 100, 9)
    ("'Laura'", 'True', "'xxxxxx...'")
    """
    if isinstance(value, str):
        return repr(value if len(value) <= longest else f"{value[: longest - 3]}...")
    try:
        text = repr(value)
    except ValueError:
        return "a number of very many digits"
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


class Named(Protocol):
    """Describes any object that has the id and the title of a movie."""

    @property
    def movie_id(self) -> str:
        """Returns the movie's id."""

    @property
    def title(self) -> str:
        """Returns the movie's title."""


class EngineError(Exception):
    """Is the base class of every error that the engine raises on purpose.

    The text of an error is one sentence. Errors of every subclass can be pickled, although the constructors
    of the subclasses take different arguments.
    """

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[EngineError], arguments: tuple[object, ...]) -> EngineError:
    """Restores a pickled error without calling the constructor of the error's class."""
    return kind.__new__(kind, *arguments)


class ConfigError(EngineError):
    """A setting or an option is unknown, or its value is out of range."""


class DataError(EngineError):
    """The source files, or the tables prepared from the source files, are not as expected."""


class SourceError(DataError):
    """A source file is missing, unreadable or malformed.

    Attributes:
        path: the faulty file, or None if no single file is faulty.
        line: the number of the faulty line, counted from 1, or None if no single line is faulty.
    """

    def __init__(self, message: str, *, path: Path | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.line = line


class CheckFailedError(DataError):
    """A check, an SQL query that selects faulty rows of a table, found faulty rows.

    Attributes:
        name: the name of the check.
        count: the number of faulty rows.
        rows: a few of the faulty rows.
    """

    def __init__(self, name: str, count: int, rows: Sequence[tuple[object, ...]]) -> None:
        shown = "; ".join(str(row) for row in rows)
        super().__init__(f"Check '{name}' expected no rows but found {count:,} (first: {shown})")
        self.name = name
        self.count = count
        self.rows = tuple(rows)


class TrainingError(EngineError):
    """The training loss is not finite, or the data holds nothing to train on."""


class IndexQualityError(EngineError):
    """The recall of the two-stage search is below the least recall in the setting `index.recall_floor`.

    Attributes:
        got: the measured recall, 0 to 1.
        wanted: the least recall that the setting `index.recall_floor` asks for, 0 to 1.
    """

    def __init__(self, got: float, wanted: float, advice: str) -> None:
        found = f"The two-stage search recalls {got:.4f} of the exhaustive top list"
        super().__init__(f"{found}, under the floor of {wanted:.4f}; {advice}")
        self.got = got
        self.wanted = wanted


class NotPublishedError(EngineError):
    """A new build does not meet the user's condition `publish_if`, and does not replace the live build.

    Attributes:
        build: the directory of the new build, which is kept beside the live build.
    """

    def __init__(self, message: str, build: Path) -> None:
        super().__init__(message)
        self.build = build


class ArtifactError(EngineError):
    """A built index cannot be used."""


class ArtifactNotFoundError(ArtifactError):
    """A directory holds no built index."""


class ArtifactVersionError(ArtifactError):
    """The index was written in a format version that this package does not read."""


class ArtifactCorruptError(ArtifactError):
    """A file of the index is missing, truncated, changed or swapped."""


class FilterError(EngineError):
    """A `--where` condition cannot be parsed, names an unknown column, or is more than an SQL condition."""


class TitleError(EngineError):
    """A title matches no movie of the index, or matches several movies.

    Attributes:
        text: the title that the user asked for.
        matches: the movies whose titles match, best match first; each movie has a `movie_id` and a `title`.
    """

    def __init__(self, text: str, matches: Sequence[Named]) -> None:
        if matches:
            named = "; ".join(
                f"{match.movie_id} {match.title[:_LONGEST_TITLE]}" for match in matches[:_MOST_NAMED]
            )
            more = f"; and {len(matches) - _MOST_NAMED:,} more" if len(matches) > _MOST_NAMED else ""
            sentence = (
                f"The title {shown(text)} may mean {len(matches):,} movies; ask by the id: {named}{more}"
            )
        else:
            sentence = f"No title is like {shown(text)}; check the spelling, or ask by the movie's id"
        super().__init__(sentence)
        self.text = text
        self.matches = tuple(matches)


class UnknownIdError(EngineError):
    """The index does not hold the reviewer or the movie that the user asked for.

    Attributes:
        kind: whose id is unknown: "reviewer" or "movie".
        unknown_id: the id that the user asked for.
        close_matches: ids in the index that are similar to the unknown id, most similar first.
    """

    def __init__(self, kind: str, unknown_id: str, where: str, close_matches: Sequence[str] = ()) -> None:
        advice = (
            f"did you mean {' or '.join(repr(match) for match in close_matches)}?"
            if close_matches
            else f"check the spelling against the {kind} ids of the reviews that the index was built from."
        )
        super().__init__(f"No {kind} {shown(unknown_id)} in {where}; ids are case-sensitive; {advice}")
        self.kind = kind
        self.unknown_id = unknown_id
        self.close_matches = tuple(close_matches)
