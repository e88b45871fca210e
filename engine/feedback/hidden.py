"""Holds the movies that are hidden from everybody or from one reviewer, and stores them in a build."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from engine.artifact.layout import HIDDEN_FILE
from engine.artifact.reader import Artifact
from engine.errors import ArtifactCorruptError
from engine.feedback.events import DISLIKE, HIDDEN, SHOWN, Event


class HiddenMovies:
    """Holds the ids of movies that are hidden from everybody, and of movies hidden from one reviewer.

    Attributes:
        movies: the ids of the movies that are hidden from everybody.
        by_reviewer: maps the id of a reviewer to the ids of the movies that are hidden from this reviewer.
    """

    def __init__(self) -> None:
        self.movies: set[str] = set()
        self.by_reviewer: dict[str, set[str]] = {}

    @classmethod
    def of_build(cls, artifact: Artifact) -> HiddenMovies:
        """Reads which movies a build of an index hides.

        Raises:
            ArtifactCorruptError: the file of hidden movies is damaged.
        """
        hidden = cls()
        if not artifact.has(HIDDEN_FILE):
            return hidden
        try:
            values = json.loads(artifact.handle(HIDDEN_FILE).read_bytes())
            hidden.movies = _ids(values["movies"])
            hidden.by_reviewer = {str(name): _ids(ids) for name, ids in values["by_reviewer"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ArtifactCorruptError(
                f"The hidden movies of {artifact.directory} cannot be read from {HIDDEN_FILE}; restore the "
                "index from a copy, or build it again"
            ) from error
        return hidden

    def __bool__(self) -> bool:
        return bool(self.movies or self.by_reviewer)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, HiddenMovies):
            return NotImplemented
        return self.movies == other.movies and self.by_reviewer == other.by_reviewer

    __hash__ = None  # type: ignore[assignment]

    def to_json(self) -> str:
        """Returns the hidden movies as JSON text, the content of the file `HIDDEN_FILE` of a build."""
        by_reviewer = {name: sorted(ids) for name, ids in sorted(self.by_reviewer.items())}
        return json.dumps({"movies": sorted(self.movies), "by_reviewer": by_reviewer}) + "\n"

    def apply(self, events: Iterable[Event]) -> None:
        """Applies events that hide movies or show movies again, in order; ignores events of other kinds.

        In an index without ratings, a dislike hides the movie from the reviewer.
        """
        for event in events:
            hides = event.kind == HIDDEN or (event.kind == DISLIKE and not event.is_review)
            if event.reviewer_id is None:
                if hides:
                    self.movies.add(event.movie_id)
                elif event.kind == SHOWN:
                    self.movies.discard(event.movie_id)
            elif hides:
                self.by_reviewer.setdefault(event.reviewer_id, set()).add(event.movie_id)
            elif event.kind == SHOWN and event.reviewer_id in self.by_reviewer:
                self.by_reviewer[event.reviewer_id].discard(event.movie_id)
                if not self.by_reviewer[event.reviewer_id]:
                    del self.by_reviewer[event.reviewer_id]


def _ids(values: Any) -> set[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("a list of ids is expected")
    return set(values)
