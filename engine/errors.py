"""Defines every error that the engine raises on purpose, as one tree.

    EngineError                    everything raised on purpose
    |- ConfigError                 a setting is unknown or out of range
    |- DataError                   the source or the tables are not as expected
    |  |- SourceError              a file is missing, unreadable or malformed (path, line)
    |  `- CheckFailedError         a check query returned rows (name, count, rows)
    |- TrainingError               the loss is not finite, or there is nothing to train on
    |- IndexQualityError           recall against exact search is under the floor (got, wanted)
    |- ArtifactError               a built index cannot be used
    |  |- ArtifactNotFoundError    there is no index at a place
    |  |- ArtifactVersionError     the index was written in another format version
    |  `- ArtifactCorruptError     a file of the index is missing, truncated or changed
    |- FilterError                 a filter does not parse, names no column, or tries to be more than a filter
    |- TitleError                  a title means no movie, or several
    `- UnknownIdError              the index does not hold a reviewer or movie

Attributes carry the facts; the sentence for people is built once, here. Only `engine/cli/main.py` turns
errors into exit codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

_MOST_NAMED = 10
"""Movies that the sentence of a TitleError names."""


class Named(Protocol):
    """A movie with its id and title."""

    @property
    def movie_id(self) -> str:
        """Returns the movie's id."""

    @property
    def title(self) -> str:
        """Returns the movie's title."""


class EngineError(Exception):
    """The base of every error raised on purpose; its text is one sentence for the person at the keyboard."""


class ConfigError(EngineError):
    """A setting is unknown or out of range."""


class DataError(EngineError):
    """The source or the prepared tables are not as expected."""


class SourceError(DataError):
    """A source file is missing, unreadable or malformed.

    Attributes:
        path: the file, or None where no file is to blame.
        line: the line of the file, counted from 1, or None where no line is to blame.
    """

    def __init__(self, message: str, *, path: Path | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.line = line


class CheckFailedError(DataError):
    """A check query, which selects offending rows, returned rows; `rows` holds the first few of `count`."""

    def __init__(self, name: str, count: int, rows: Sequence[tuple[object, ...]]) -> None:
        shown = "; ".join(str(row) for row in rows)
        super().__init__(f"Check '{name}' expected no rows but found {count:,} (first: {shown})")
        self.name = name
        self.count = count
        self.rows = tuple(rows)


class TrainingError(EngineError):
    """The loss is not finite, or there is nothing to train on."""


class IndexQualityError(EngineError):
    """The two-stage search recalls less of the exhaustive top lists than the floor asks for.

    Attributes:
        got: the recall measured, 0 to 1.
        wanted: the floor, 0 to 1.
    """

    def __init__(self, got: float, wanted: float, advice: str) -> None:
        found = f"The two-stage search recalls {got:.4f} of the exhaustive top list"
        super().__init__(f"{found}, under the floor of {wanted:.4f}; {advice}")
        self.got = got
        self.wanted = wanted


class ArtifactError(EngineError):
    """A built index cannot be used."""


class ArtifactNotFoundError(ArtifactError):
    """There is no built index at a place."""


class ArtifactVersionError(ArtifactError):
    """The index was written in a format version that this package does not read."""


class ArtifactCorruptError(ArtifactError):
    """A file of the index is missing, truncated, changed or swapped."""


class FilterError(EngineError):
    """A filter does not parse, names no column, or tries to be more than a filter."""


class TitleError(EngineError):
    """A title means no movie of the index, or several.

    Attributes:
        text: the title asked for.
        matches: the movies that the title may mean, best first; each has a movie_id and a title.
    """

    def __init__(self, text: str, matches: Sequence[Named]) -> None:
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        if matches:
            named = "; ".join(f"{match.movie_id} {match.title}" for match in matches[:_MOST_NAMED])
            more = f"; and {len(matches) - _MOST_NAMED:,} more" if len(matches) > _MOST_NAMED else ""
            sentence = f"The title {shown!r} may mean {len(matches):,} movies; ask by the id: {named}{more}"
        else:
            sentence = f"No title is like {shown!r}; check the spelling, or ask by the movie's id"
        super().__init__(sentence)
        self.text = text
        self.matches = tuple(matches)


class UnknownIdError(EngineError):
    """The index does not hold a reviewer or movie.

    Attributes:
        kind: "reviewer" or "movie".
        unknown_id: the id asked for.
        close_matches: similar ids that the index holds, most alike first.
    """

    def __init__(self, kind: str, unknown_id: str, where: str, close_matches: Sequence[str] = ()) -> None:
        shown = unknown_id if len(unknown_id) <= 60 else f"{unknown_id[:57]}..."
        advice = (
            f"did you mean {' or '.join(repr(match) for match in close_matches)}?"
            if close_matches
            else f"check the spelling against the {kind} ids of the reviews that the index was built from."
        )
        super().__init__(f"No {kind} {shown!r} in {where}; ids are case-sensitive; {advice}")
        self.kind = kind
        self.unknown_id = unknown_id
        self.close_matches = tuple(close_matches)
