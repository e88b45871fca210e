"""Reviews in, a model out: both heads and both tables, trained, blended, and trained again on everything."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from engine.config import Config
from engine.histories import Histories
from engine.rating_head import RatingHead
from engine.relevance_head import RelevanceHead
from engine.scorer import Blend, Model
from pipelines.blend import choose_blend
from pipelines.dataset import Reviews, default_like_rating
from pipelines.neighbours import build_neighbours
from pipelines.ranking import rank_held_out
from pipelines.split import hold_out_last
from pipelines.tensorflow_start import start_tensorflow
from pipelines.train import Trained, train_rating, train_relevance

logger = logging.getLogger(__name__)

_VALIDATED_REVIEWERS = 2000
_VALIDATED_REVIEWS = 20_000
FEWEST_VALIDATED = 10
"""With fewer held-out likes than this a figure says nothing, and training takes its default length."""


class Findings(NamedTuple):
    """What is found on validation reviews, for a training on more of them."""

    rounds: dict[str, int]
    """Of each head, how long to train."""
    blend: Blend
    """How the parts of a score are added up."""
    curves: dict[str, dict[str, list[float]]]
    """Of each head, its training losses and validation figures by round; empty where it was not validated."""

    def summary(self) -> dict[str, Any]:
        """What the manifest keeps beside the model's own section."""
        return {"rounds": self.rounds, "curves": self.curves}


class FittedModel(NamedTuple):
    """A trained model, and what it was trained by."""

    model: Model
    """Answers and can be exported."""
    findings: Findings
    """Serve another training on more reviews."""


def fit_model(reviews: Reviews, config: Config, *, findings: Findings | None = None) -> FittedModel:
    """Trains a model on reviews.

    Each reviewer's last reviews are set aside to find how long to train and how to blend; then everything is
    trained once more on all reviews with what was found.

    Args:
        reviews: those to learn from.
        config: settings.
        findings: of a training on part of these reviews, in place of looking for them again.

    Raises:
        TrainingError: there is nothing to train on, or a loss is not finite.
        DataError: all ratings are equal.
    """
    start_tensorflow()
    if findings is None:
        findings = _find(reviews, config)
    likes = reviews.likes(findings.blend.like_rating)
    rounds = findings.rounds
    relevance = train_relevance(reviews, likes, config.relevance, config.seed, rounds=rounds["relevance"])
    rating = None
    if reviews.has_ratings:
        rating = train_rating(reviews, config.rating, config.seed, rounds=rounds["rating"])
    return FittedModel(_assemble(reviews, relevance, rating, findings.blend, config), findings)


def _find(reviews: Reviews, config: Config) -> Findings:
    """Trains without each reviewer's last reviews, and finds on those how long to train and how to blend."""
    blend = first_blend(reviews, config)
    earlier, later = hold_out_last(reviews, config.split.validation_share)
    liked = later.select(later.likes(blend.like_rating))
    if len(np.unique(liked.reviewer_rows)) < FEWEST_VALIDATED:
        logger.info("Too few reviews to validate on: training takes its default length")
        rounds = {
            "relevance": config.relevance.max_epochs // 3 or 1,
            "rating": config.rating.max_epochs // 2 or 1,
        }
        return Findings(rounds, blend, {})
    likes = earlier.likes(blend.like_rating)
    validate_relevance = ndcg_of(earlier, liked, config.seed)
    relevance = train_relevance(earlier, likes, config.relevance, config.seed, validate=validate_relevance)
    heads: dict[str, Trained[Any]] = {"relevance": relevance}
    rating = None
    if earlier.has_ratings:
        validate_rating = likelihood_of(earlier, later, config.seed)
        rating = train_rating(earlier, config.rating, config.seed, validate=validate_rating)
        heads["rating"] = rating
    model = choose_blend(_assemble(earlier, relevance, rating, blend, config), later, config.seed)
    return Findings(
        {name: head.rounds for name, head in heads.items()},
        model.blend,
        {name: {"loss": head.losses, "validation": head.figures} for name, head in heads.items()},
    )


def first_blend(reviews: Reviews, config: Config) -> Blend:
    """The blend before anything is known: what a like is, and the network as it is."""
    like_rating = config.rating.like_rating
    if like_rating is None:
        like_rating = default_like_rating(reviews.levels)
    return Blend(like_rating=like_rating, other_weight=config.relevance.other_weight)


def _assemble(
    reviews: Reviews,
    relevance: Trained[RelevanceHead],
    rating: Trained[RatingHead] | None,
    blend: Blend,
    config: Config,
) -> Model:
    neighbours = build_neighbours(reviews, blend, config.neighbours, config.ingest)
    return Model(
        relevance=relevance.head,
        rating=rating.head if rating else None,
        neighbours=neighbours.co_review,
        linear_neighbours=neighbours.linear,
        rating_neighbours=neighbours.rating,
        histories=histories_of(reviews),
        blend=blend,
    )


def histories_of(reviews: Reviews) -> Histories:
    """The reviews as histories."""
    return Histories(reviews.offsets(), reviews.movie_rows, reviews.level_rows)


def ndcg_of(earlier: Reviews, liked: Reviews, seed: int) -> Callable[[RelevanceHead], float]:
    """Gives a validation figure: the NDCG@20 of the likes that were held out."""
    histories = histories_of(earlier)

    def validate(head: RelevanceHead) -> float:
        def score(rows: np.ndarray) -> np.ndarray:
            return head.queries(rows, histories.take(rows)) @ head.movie_vectors.T

        result = rank_held_out(score, earlier, liked, max_reviewers=_VALIDATED_REVIEWERS, seed=seed)
        return result.mean()["ndcg@20"]

    return validate


def likelihood_of(earlier: Reviews, later: Reviews, seed: int) -> Callable[[RatingHead], float]:
    """Gives a validation figure: the mean log chance of what was given."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(later))[:_VALIDATED_REVIEWS])
    movie_rows, level_rows = later.movie_rows[chosen], later.level_rows[chosen].astype(np.int64)
    reviewers, places = np.unique(later.reviewer_rows[chosen], return_inverse=True)
    history = histories_of(earlier).take(reviewers)

    def validate(head: RatingHead) -> float:
        tastes = head.tastes(reviewers, history).take(places)
        chances = head.probabilities(*head.locate(tastes, movie_rows))
        return float(np.log(chances[np.arange(len(places)), level_rows] + 1e-7).mean())

    return validate
