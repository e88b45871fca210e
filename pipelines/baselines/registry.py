"""Names and fits the baselines: the models with which evaluations compare the engine's model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from engine.arrays import Floats
from engine.errors import ConfigError
from engine.model.heads import RatingPrediction
from pipelines.baselines.peers import AlternatingLeastSquares, Svd, SvdPlusPlus
from pipelines.baselines.rankers import Ease, ItemNeighbours, Popularity
from pipelines.baselines.raters import AnyRows, Biases, Constants
from pipelines.baselines.seed import SeedBase, SeedFinal
from pipelines.dataset.reviews import Reviews


@runtime_checkable
class Ranker(Protocol):
    """Describes a model that scores movies for reviewers; the best movie has the highest score."""

    def score(self, reviewer_rows: AnyRows) -> Floats:
        """Scores every movie for each of n reviewers, reviewed movies too: float32 [n, num_movies]."""
        ...


@runtime_checkable
class Rater(Protocol):
    """Describes a model that predicts the ratings of pairs of reviewer and movie."""

    def predict(self, reviewer_rows: AnyRows, movie_rows: AnyRows) -> RatingPrediction | None:
        """Predicts the ratings of n pairs of reviewer and movie; returns None if the data has no ratings.

        If a model predicts only ratings, the array of probabilities of rating levels has the shape [n, 0].
        """
        ...


Fitted = Ranker | Rater


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Describes how a baseline is fitted to reviews, and whether the baseline needs ratings."""

    fit: Callable[[Reviews, float, int], Fitted]
    """A function that returns the fitted model; the arguments are the training reviews, the lowest rating
    that counts as a like, and a random seed."""
    needs_ratings: bool = False
    """Whether the baseline can be fitted only to reviews with ratings; an evaluation of data without ratings
    leaves the baseline out."""


BASELINES: Mapping[str, Baseline] = {
    "constants": Baseline(fit=lambda reviews, _like, _seed: Constants(reviews), needs_ratings=True),
    "biases": Baseline(fit=lambda reviews, _like, _seed: Biases(reviews), needs_ratings=True),
    "popularity": Baseline(fit=lambda reviews, _like, _seed: Popularity(reviews)),
    "item-knn": Baseline(fit=lambda reviews, _like, _seed: ItemNeighbours(reviews)),
    "ease": Baseline(fit=lambda reviews, like, _seed: Ease(reviews, like_rating=like)),
    "base": Baseline(fit=lambda reviews, _like, seed: SeedBase(reviews, seed=seed), needs_ratings=True),
    "final": Baseline(fit=lambda reviews, _like, seed: SeedFinal(reviews, seed=seed), needs_ratings=True),
    "als": Baseline(fit=lambda reviews, like, seed: AlternatingLeastSquares(reviews, like, seed=seed)),
    "svd": Baseline(fit=lambda reviews, _like, seed: Svd(reviews, seed=seed), needs_ratings=True),
    "svd++": Baseline(fit=lambda reviews, _like, seed: SvdPlusPlus(reviews, seed=seed), needs_ratings=True),
}
"""Maps the name of each baseline to the `Baseline`; the option `--models` of `engine evaluate` takes the
names."""


def fit_baseline(name: str, reviews: Reviews, *, like_rating: float, seed: int) -> Fitted:
    """Fits the baseline `name` to training reviews; a rating of at least `like_rating` is a like.

    Raises:
        ConfigError: no baseline has the name; a library that the baseline needs is not installed; or the data
            is too large for the baseline.
    """
    if name not in BASELINES:
        raise ConfigError(f"There is no model {name!r}; expected one of {', '.join(('ncf', *BASELINES))}")
    return BASELINES[name].fit(reviews, like_rating, seed)
