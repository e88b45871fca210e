"""Defines the class that holds what two movies have in common, as reasons for their similarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """Says what a similar movie has in common with the given movie.

    Attributes:
        shared_reviewers: the number of reviewers who had reviewed both movies when the index was built; None
            if the index does not hold the number of shared reviewers.
        same_series: whether the titles say that the movies belong to one series, such as a movie and its
            sequel.
        same_categories: the categories that both movies have, except categories that nearly all movies have.
    """

    shared_reviewers: int | None
    same_series: bool
    same_categories: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns the attributes as a dictionary for JSON."""
        return vars(self) | {"same_categories": list(self.same_categories)}

    def described(self) -> tuple[str, ...]:
        """Returns phrases such as "same series" that say what the movies have in common, strongest first."""
        series = ("same series",) if self.same_series else ()
        shared = f"{self.shared_reviewers or 0:,} shared reviewer{'' if self.shared_reviewers == 1 else 's'}"
        return (*series, *self.same_categories, *((shared,) if self.shared_reviewers else ()))
