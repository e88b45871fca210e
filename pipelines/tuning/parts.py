"""What can be tuned: the parts of a model that are trained apart, their settings, and how each is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.config.sections import Config
from engine.errors import DataError
from engine.model.histories import recency_weights
from pipelines.dataset.reviews import Reviews, histories_of
from pipelines.dataset.splits import hold_out_last, in_order
from pipelines.measuring.ranking import rank_held_out
from pipelines.neighbours.linear import linear_neighbours
from pipelines.training.fit import first_blend
from pipelines.training.holdouts import FEWEST_VALIDATED
from pipelines.training.loops import train_rating, train_relevance
from pipelines.training.validation import likelihood_of, ndcg_of

Head = TypeVar("Head")
OnFigure = Callable[[float], None]
"""Is told the validation figure of each round, and may end the training by raising."""

_RANKED_REVIEWERS = 2000


class Range(NamedTuple):
    """Where a setting is looked for."""

    low: float
    high: float
    log: bool = False
    """Whether equal ratios count as equal steps."""
    whole: bool = False
    """Whether only whole numbers are tried."""


class TuningData(NamedTuple):
    """What may be learned from, and what judges it: neither holds a test review."""

    earlier: Reviews
    later: Reviews
    liked: Reviews
    """The likes among `later`."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the model whose settings are searched apart from the others'.

    Attributes:
        name: what people call it.
        figure: what it is judged by; higher is better.
        ranges: by the dotted names of its settings.
        share: of the time, relative to the other parts.
        measure: trains the part with a configuration and gives its figure.
        applies: whether there is something to tune, given the data and the configuration.
    """

    name: str
    figure: str
    ranges: Mapping[str, Range]
    share: float
    measure: Callable[[TuningData, Config, OnFigure], float]
    applies: Callable[[TuningData, Config], bool] = lambda _data, _config: True


def split_for_tuning(reviews: Reviews, config: Config) -> TuningData:
    """Sets the test share aside, and of what is left holds out each reviewer's last reviews.

    Both are cut as a build cuts them, so what it measures itself on has no say in its settings.

    Raises:
        DataError: too few likes are held out to say anything.
    """
    training = in_order(reviews, config)
    if config.split.test_share > 0:
        training = hold_out_last(training, config.split.test_share).earlier
    earlier, later = hold_out_last(training, config.split.validation_share)
    liked = later.select(later.likes(first_blend(training, config).like_rating))
    judges = len(np.unique(liked.reviewer_rows))
    if judges < FEWEST_VALIDATED:
        raise DataError(
            f"Only {judges} reviewers have a held-out like to tune on; expected at least {FEWEST_VALIDATED}; "
            "give more reviews, or lower the filters"
        )
    return TuningData(earlier, later, liked)


def _measure_relevance(data: TuningData, config: Config, on_figure: OnFigure) -> float:
    validate = ndcg_of(data.earlier, data.liked, config.seed)
    likes = data.earlier.likes(first_blend(data.earlier, config).like_rating)
    trained = train_relevance(
        data.earlier, likes, config.relevance, config.seed, validate=_telling(validate, on_figure)
    )
    return trained.figures[trained.rounds - 1]


def _measure_rating(data: TuningData, config: Config, on_figure: OnFigure) -> float:
    validate = likelihood_of(data.earlier, data.later, config.seed)
    trained = train_rating(data.earlier, config.rating, config.seed, validate=_telling(validate, on_figure))
    return trained.figures[trained.rounds - 1]


def _measure_neighbours(data: TuningData, config: Config, on_figure: OnFigure) -> float:
    """The NDCG@20 of the linear model alone, asked with a reviewer's fading history as in a score."""
    blend = first_blend(data.earlier, config)
    weights = np.where(data.earlier.likes(blend.like_rating), 1.0, blend.other_weight)
    settings = config.neighbours
    table = linear_neighbours(
        data.earlier, weights, l2=settings.linear_l2, num_neighbours=settings.num_linear_neighbours
    )
    histories = histories_of(data.earlier)
    offsets = histories.offsets

    def score(reviewer_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        scores = np.zeros((len(reviewer_rows), data.earlier.num_movies), dtype=np.float32)
        for place, row in enumerate(reviewer_rows):
            history = slice(offsets[row], offsets[row + 1])
            fading = recency_weights(
                np.arange(history.stop - history.start, 0, -1), config.relevance.recency_power
            )
            rows, (near,) = table.spread(histories.movie_rows[history], fading * weights[history])
            scores[place, rows] = near
        return scores

    ranked = rank_held_out(score, data.earlier, data.liked, max_reviewers=_RANKED_REVIEWERS, seed=config.seed)
    return ranked.mean()["ndcg@20"]


def _telling(validate: Callable[[Head], float], on_figure: OnFigure) -> Callable[[Head], float]:
    """The same figure, told on the way."""

    def told(head: Head) -> float:
        figure = validate(head)
        on_figure(figure)
        return figure

    return told


PARTS = (
    Part(
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
    Part(
        name="neighbours",
        figure="NDCG@20",
        ranges={"neighbours.linear_l2": Range(1.0, 3000.0, log=True)},
        share=1,
        measure=_measure_neighbours,
        applies=lambda data, config: data.earlier.num_movies <= config.neighbours.linear_up_to,
    ),
    Part(
        name="rating",
        figure="log likelihood",
        ranges={
            "rating.l2": Range(0.01, 10.0, log=True),
            "rating.dim": Range(4, 128, log=True, whole=True),
        },
        share=3,
        measure=_measure_rating,
        applies=lambda data, _config: data.earlier.has_ratings,
    ),
)
"""Every part that is tuned, in the order in which that is done."""
