"""Reviews in, a model out: both heads and both tables, trained, blended, and trained again on everything."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np

from engine.config import Config
from engine.rating_head import RatingHead
from engine.relevance_head import RelevanceHead
from engine.scorer import Blend, Model
from pipelines.blend import choose_blend, with_offset
from pipelines.checkpoints import NOTHING_KEPT, Checkpoints
from pipelines.dataset import Reviews, default_like_rating
from pipelines.members import train_members
from pipelines.nearness import choose_nearness, nearness_options
from pipelines.neighbours import Nearness, Neighbours, build_neighbours
from pipelines.order import follows_time, in_order, without_fading
from pipelines.split import hold_out_last
from pipelines.tensorflow_start import start_tensorflow
from pipelines.train import Trained, train_rating
from pipelines.validation import histories_of, likelihood_of, ndcg_of

logger = logging.getLogger(__name__)

FEWEST_VALIDATED = 10
"""With fewer held-out likes than this a figure says nothing, and training takes its default length."""


class Findings(NamedTuple):
    """What is found on validation reviews, for a training on more of them."""

    rounds: dict[str, int]
    """Of each head, how long to train."""
    blend: Blend
    """How the parts of a score are added up."""
    nearness: Nearness | None
    """What says which movies are near to a history; None where plain co-reviews do."""
    curves: dict[str, dict[str, list[float]]]
    """Of each head, its training losses and validation figures by round; empty where it was not validated."""

    def summary(self) -> dict[str, Any]:
        """What the manifest keeps beside the model's own section."""
        nearness = None if self.nearness is None else self.nearness._asdict()
        return {"rounds": self.rounds, "nearness": nearness, "curves": self.curves}

    def to_dict(self) -> dict[str, Any]:
        """Gives everything as plain values, from which `from_dict` restores it."""
        return {**self.summary(), "blend": asdict(self.blend)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Findings:
        """Restores what `to_dict` gave."""
        nearness = None if values["nearness"] is None else Nearness(**values["nearness"])
        return cls(values["rounds"], Blend(**values["blend"]), nearness, values["curves"])


class FittedModel(NamedTuple):
    """A trained model, and what it was trained by."""

    model: Model
    """Answers and can be exported."""
    findings: Findings
    """Serve another training on more reviews."""


def fit_model(
    reviews: Reviews,
    config: Config,
    *,
    findings: Findings | None = None,
    checkpoints: Checkpoints = NOTHING_KEPT,
) -> FittedModel:
    """Trains a model on reviews.

    Each reviewer's last reviews are set aside to find how long to train and how to blend; then everything is
    trained once more on all reviews with what was found. Where the order of reviews says nothing, each
    reviewer's are taken in a random one, and older ones do not fade.

    Args:
        reviews: those to learn from.
        config: settings.
        findings: of a training on part of these reviews, in place of looking for them again.
        checkpoints: where the trainings are kept as they go, and taken up where they were kept.

    Raises:
        TrainingError: there is nothing to train on, or a loss is not finite.
        DataError: all ratings are equal.
    """
    start_tensorflow()
    histories = histories_of(reviews)
    if not follows_time(reviews, config):
        reviews, config = in_order(reviews, config), without_fading(config)
    if findings is None:
        findings = _find(reviews, config, checkpoints)
    likes = reviews.likes(findings.blend.like_rating)
    rounds = findings.rounds
    relevance = train_members(
        reviews, likes, config.relevance, config.seed, rounds=rounds["relevance"], checkpoints=checkpoints
    )
    rating = None
    if reviews.has_ratings:
        rating = train_rating(
            reviews, config.rating, config.seed, rounds=rounds["rating"], checkpoints=checkpoints
        )
    wanted = [] if findings.nearness is None else [findings.nearness]
    neighbours = build_neighbours(reviews, findings.blend, config.neighbours, config.ingest, wanted)
    model = _assemble(reviews, relevance, rating, findings.blend, neighbours, findings.nearness)
    return FittedModel(replace(model, histories=histories), findings)


def _find(reviews: Reviews, config: Config, checkpoints: Checkpoints) -> Findings:
    """What is found without each reviewer's last reviews, unless it was found before."""
    saved = checkpoints.load("findings")
    if saved is not None:
        return Findings.from_dict(saved.facts)
    findings = _look_for(reviews, config, checkpoints.within("search"))
    checkpoints.save("findings", {}, findings.to_dict())
    checkpoints.forget("search")
    return findings


def _look_for(reviews: Reviews, config: Config, checkpoints: Checkpoints) -> Findings:
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
        return Findings(rounds, blend, Nearness("damped", config.neighbours.damping), {})
    likes = earlier.likes(blend.like_rating)
    validate_relevance = ndcg_of(earlier, liked, config.seed)
    relevance = train_members(
        earlier, likes, config.relevance, config.seed, validate=validate_relevance, checkpoints=checkpoints
    )
    heads: dict[str, Trained[Any]] = {"relevance": relevance}
    rating = None
    if earlier.has_ratings:
        validate_rating = likelihood_of(earlier, later, config.seed)
        rating = train_rating(
            earlier, config.rating, config.seed, validate=validate_rating, checkpoints=checkpoints
        )
        heads["rating"] = rating
    options = nearness_options(reviews.num_movies, config.neighbours)
    neighbours = build_neighbours(earlier, blend, config.neighbours, config.ingest, options)
    model = _assemble(earlier, relevance, rating, blend, neighbours)
    nearness = choose_nearness(model, neighbours.near, earlier, liked, config.seed)
    model = _assemble(earlier, relevance, rating, blend, neighbours, nearness)
    model = choose_blend(model, later, config.seed)
    return Findings(
        {name: head.rounds for name, head in heads.items()},
        model.blend,
        nearness,
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
    neighbours: Neighbours,
    nearness: Nearness | None = None,
) -> Model:
    return Model(
        relevance=relevance.head,
        rating=with_offset(rating.head, blend) if rating else None,
        neighbours=neighbours.co_review,
        chosen_neighbours=None if nearness is None else neighbours.near[nearness],
        rating_neighbours=neighbours.rating,
        histories=histories_of(reviews),
        blend=blend,
    )
