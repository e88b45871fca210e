"""Defines which parts of a model are tuned, with the settings, ranges and validation metric of each part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from engine.arrays import Floats, Rows
from engine.config.sections import Config
from engine.errors import DataError
from engine.model.histories import recency_weights
from pipelines.dataset.reviews import Reviews, histories_of
from pipelines.dataset.splits import hold_out_last, in_order
from pipelines.measuring.ranking import rank_held_out
from pipelines.neighbours.tables import linear_neighbours
from pipelines.training.fit import first_blend
from pipelines.training.holdouts import FEWEST_VALIDATED, VALIDATION_SHARE
from pipelines.training.loops import train_rating, train_relevance
from pipelines.training.validation import likelihood_of, ndcg_of

Head = TypeVar("Head")
OnFigure = Callable[[float], None]
"""A function that gets the validation metric after each training round, and may raise an exception to stop
the training."""

_RANKED_REVIEWERS = 2000
"""The largest number of reviewers on whom the linear model of neighbours is measured; with more reviewers,
the measured NDCG@20 would hardly change."""


class Range(NamedTuple):
    """Holds the range of values that are tried for a setting."""

    low: float
    high: float
    log: bool = False
    """True if values are drawn evenly on a logarithmic scale; False for a linear scale."""
    whole: bool = False
    """True if only whole numbers are tried."""


class TuningData(NamedTuple):
    """Holds the reviews on which a search for settings trains, and the held-out reviews; no test reviews."""

    train: Reviews
    held_out: Reviews
    liked: Reviews
    """The reviews in `held_out` that are likes."""


@dataclass(frozen=True, kw_only=True)
class TunedPart:
    """Describes a part of the model whose settings are searched independently of all other settings."""

    name: str
    figure: str
    """The name of the validation metric that the search maximises, such as NDCG@20."""
    ranges: Mapping[str, Range]
    """The range of values for each searched setting; a key is a setting's dotted name, such as
    "rating.l2"."""
    share: float
    """This part's share of the time budget; the time budget is divided among the parts of the model in
    proportion to their shares."""
    measure: Callable[[TuningData, Config, OnFigure], float]
    """A function that trains this part (the relevance head, the linear model of neighbours or the rating
    head) with given settings. The function returns the validation metric that the field `figure` names."""
    applies: Callable[[TuningData, Config], bool] = lambda _data, _config: True
    """A function that tells whether a model of given reviews and settings has this part at all."""


def split_for_tuning(reviews: Reviews, config: Config) -> TuningData:
    """Removes the test reviews; divides the other reviews into training reviews and held-out reviews.

    The test reviews, on which a build measures its model, must not influence the settings that are found. The
    held-out reviews are the last reviews of each reviewer.

    Raises:
        DataError: the held-out reviews contain likes of too few reviewers.
    """
    training = in_order(reviews, config)
    if config.split.test_share > 0:
        training = hold_out_last(training, config.split.test_share).train
    train, held_out = hold_out_last(training, VALIDATION_SHARE)
    liked = held_out.select(held_out.likes(first_blend(training, config).like_rating))
    judges = len(np.unique(liked.reviewer_rows))
    if judges < FEWEST_VALIDATED:
        raise DataError(
            f"Only {judges} reviewers have a held-out like to tune on; expected at least {FEWEST_VALIDATED}; "
            "give more reviews, or lower the filters"
        )
    return TuningData(train, held_out, liked)


def _measure_relevance(data: TuningData, config: Config, on_figure: OnFigure) -> float:
    validate = _telling(ndcg_of(data.train, data.liked, config.seed), on_figure)
    likes = data.train.likes(first_blend(data.train, config).like_rating)
    trained = train_relevance(data.train, likes, config.relevance, config.seed, validate=validate)
    return trained.figures[trained.rounds - 1]


def _measure_rating(data: TuningData, config: Config, on_figure: OnFigure) -> float:
    validate = _telling(likelihood_of(data.train, data.held_out, config.seed), on_figure)
    trained = train_rating(data.train, config.rating, config.seed, validate=validate)
    return trained.figures[trained.rounds - 1]


def _measure_neighbours(data: TuningData, config: Config, on_figure: OnFigure) -> float:
    """Measures the NDCG@20 of lists that are made with the linear model of neighbours alone.

    Newer reviews of a reviewer's history weigh more than older reviews.
    """
    blend = first_blend(data.train, config)
    weights = np.where(data.train.likes(blend.like_rating), 1.0, blend.other_weight)
    table = linear_neighbours(data.train, weights, l2=config.neighbours.linear_l2)
    histories = histories_of(data.train)
    offsets = histories.offsets

    def score(reviewer_rows: Rows) -> Floats:
        scores = np.zeros((len(reviewer_rows), data.train.num_movies), dtype=np.float32)
        for place, row in enumerate(reviewer_rows):
            history = slice(offsets[row], offsets[row + 1])
            ages = np.arange(history.stop - history.start, 0, -1)
            fading = recency_weights(ages, config.relevance.recency_power)
            rows, (near,) = table.spread(histories.movie_rows[history], fading * weights[history])
            scores[place, rows] = near
        return scores

    ranked = rank_held_out(score, data.train, data.liked, max_reviewers=_RANKED_REVIEWERS, seed=config.seed)
    return ranked.mean()["ndcg@20"]


def _telling(validate: Callable[[Head], float], on_figure: OnFigure) -> Callable[[Head], float]:
    """Returns a function that validates a head of the model, and passes the metric to `on_figure`."""

    def told(head: Head) -> float:
        figure = validate(head)
        on_figure(figure)
        return figure

    return told


PARTS = (
    TunedPart(
        name="relevance",
        figure="NDCG@20",
        ranges={
            "relevance.embedding_dim": Range(16, 256, log=True, whole=True),
            "relevance.dropout": Range(0.0, 0.8),
            "relevance.l2": Range(1e-6, 1e-2, log=True),
            "relevance.recency_power": Range(0.0, 1.5),
            "relevance.learning_rate": Range(1e-3, 3e-2, log=True),
            "relevance.other_weight": Range(0.0, 1.0),
        },
        share=6,
        measure=_measure_relevance,
    ),
    TunedPart(
        name="neighbours",
        figure="NDCG@20",
        ranges={"neighbours.linear_l2": Range(1.0, 3000.0, log=True)},
        share=1,
        measure=_measure_neighbours,
        applies=lambda data, config: data.train.num_movies <= config.neighbours.linear_up_to,
    ),
    TunedPart(
        name="rating",
        figure="log likelihood",
        ranges={"rating.l2": Range(0.01, 10.0, log=True), "rating.dim": Range(4, 128, log=True, whole=True)},
        share=3,
        measure=_measure_rating,
        applies=lambda data, _config: data.train.has_ratings,
    ),
)
"""The parts of the model that are tuned, in the order of the searches."""
