"""Says why a movie is recommended: the movies of the history that add most to its score, by name."""

from __future__ import annotations

from engine.answers import Reason
from engine.artifact.ids import IdTable
from engine.catalogue.cards import MovieCards
from engine.model.contributions import Rows, strongest_contributions
from engine.model.scorer import Model, Reviewer

MOST_REASONS = 3
"""Movies that are named as reasons of one recommendation."""

_Named = tuple[str, str | None, float | None]
"""Of a movie of the history its id, title and rating."""


class Explainer:
    """Gives the reasons of recommendations.

    Args:
        model: what they are scored with.
        movies: the ids of the movies.
        cards: hold the titles.
    """

    def __init__(self, model: Model, movies: IdTable, cards: MovieCards) -> None:
        self._model = model
        self._movies = movies
        self._cards = cards

    def reasons(self, reviewer: Reviewer, movie_rows: Rows) -> list[tuple[Reason, ...]]:
        """The reasons why some movies are recommended to a reviewer.

        Args:
            reviewer: who they are recommended to.
            movie_rows: int64 [num_movies].

        Returns:
            For each movie up to `MOST_REASONS` of the history's, those that add most first. Only those that
            add to the score are named, so that there may be none; a history of one review gives that one.
        """
        history = reviewer.history
        only = len(history.movie_rows) == 1
        places, amounts = strongest_contributions(self._model, reviewer, movie_rows, MOST_REASONS)
        named: dict[int, _Named] = {}
        reasons = []
        for own_places, own_amounts in zip(places.tolist(), amounts.tolist(), strict=True):
            pairs = zip(own_places, own_amounts, strict=True)
            added = [(place, amount) for place, amount in pairs if amount > 0 or only]
            reasons.append(tuple(self._reason(reviewer, place, amount, named) for place, amount in added))
        return reasons

    def _reason(
        self, reviewer: Reviewer, place: int, contribution: float, named: dict[int, _Named]
    ) -> Reason:
        """Looks a movie of the history up once a list, however often it is a reason."""
        if place not in named:
            row, level = int(reviewer.history.movie_rows[place]), int(reviewer.history.level_rows[place])
            head = self._model.rating
            named[place] = (
                self._movies.id(row),
                self._cards.card(row)["title"],
                None if head is None else round(float(head.levels[level]), 4),
            )
        movie_id, title, rating = named[place]
        return Reason(movie_id=movie_id, title=title, rating=rating, contribution=contribution)
