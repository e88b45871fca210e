"""Names every baseline, a model to compare with; all answer the same two questions: to rank and to rate."""

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
    """Orders the catalogue for a reviewer."""

    def score(self, reviewer_rows: AnyRows) -> Floats:
        """Scores all movies, float32 [n, num_movies]; higher is better, and seen movies are not left out."""
        ...


@runtime_checkable
class Rater(Protocol):
    """Predicts ratings."""

    def predict(self, reviewer_rows: AnyRows, movie_rows: AnyRows) -> RatingPrediction | None:
        """Predicts the ratings of n pairs, without columns of probabilities where only a figure is known.

        Returns None where the data has no ratings.
        """
        ...


Fitted = Ranker | Rater


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Says how a model is fitted, and what it needs."""

    fit: Callable[[Reviews, float, int], Fitted]
    """Fits the model to training reviews, with the lowest rating that is a like, and a seed."""
    needs_ratings: bool = False
    """Leaves the model out where the data has no ratings."""


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
"""Every baseline by the name that `--models` takes."""


def fit_baseline(name: str, reviews: Reviews, *, like_rating: float, seed: int) -> Fitted:
    """Fits one of the BASELINES to training reviews; `like_rating` is the lowest rating that is a like.

    Raises:
        ConfigError: the baseline does not exist, is not installed, or cannot take data of this size.
    """
    if name not in BASELINES:
        raise ConfigError(f"There is no model {name!r}; expected one of {', '.join(('ncf', *BASELINES))}")
    return BASELINES[name].fit(reviews, like_rating, seed)
