"""Reviews in, a model out: both heads and both tables, trained, blended, and trained again on everything."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from engine.arrays import Floats
from engine.config.sections import Config
from engine.model.scorer import Blend, Model
from pipelines.dataset.reviews import Reviews, default_like_rating, histories_of
from pipelines.dataset.splits import follows_time, in_order, without_fading
from pipelines.neighbours.content import content_table, with_content
from pipelines.neighbours.tables import CO_REVIEWS, Nearness, build_neighbours
from pipelines.training.ensemble import train_members
from pipelines.training.holdouts import train_holdouts
from pipelines.training.loops import train_rating
from pipelines.training.prediction_blend import blended, choose_rating_blend
from pipelines.training.score_blend import Judged, choose_blend
from pipelines.work.checkpoints import NOTHING_KEPT, Checkpoints
from pipelines.work.tensorflow_start import start_tensorflow

logger = logging.getLogger(__name__)


class Findings(NamedTuple):
    """What is found on validation reviews, for a training on more of them."""

    rounds: dict[str, int]
    """Of each head, how long to train: the median of the holdouts'."""
    blend: Blend
    """How the parts of a score are added up."""
    nearness: Nearness
    """What says which movies are near to a history."""
    curves: dict[str, dict[str, list[float]]]
    """Of each head, its training losses and validation figures by round, of the first holdout; empty where
    there was none."""

    def summary(self) -> dict[str, Any]:
        """What the manifest keeps beside the model's own section."""
        return {"rounds": self.rounds, "nearness": self.nearness._asdict(), "curves": self.curves}

    def to_dict(self) -> dict[str, Any]:
        """Gives everything as plain values, from which `from_dict` restores it."""
        return {**self.summary(), "blend": asdict(self.blend)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Findings:
        """Restores what `to_dict` gave."""
        return cls(
            values["rounds"], Blend(**values["blend"]), Nearness(**values["nearness"]), values["curves"]
        )


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
    features: Floats | None = None,
    findings: Findings | None = None,
    checkpoints: Checkpoints = NOTHING_KEPT,
) -> FittedModel:
    """Trains a model on reviews.

    Each reviewer's last reviews are set aside to find how long to train and how to blend, several times where
    there are few; then everything is trained once more on all reviews with what was found. Where the order of
    reviews says nothing, each reviewer's are taken in a random one, and older ones do not fade.

    Args:
        reviews: those to learn from.
        config: settings.
        features: what metadata says of the movies, as `content_features` gives it, if it is known.
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
        findings = _find(reviews, config, checkpoints, features)
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
    plain = findings.nearness._replace(content=0.0)
    wanted = [] if plain == CO_REVIEWS else [plain]
    neighbours = build_neighbours(reviews, findings.blend, config.neighbours, config.ingest, wanted)
    chosen = neighbours.near.get(plain)
    alike = content_table(reviews, features, config.neighbours) if findings.nearness.content else None
    if alike is not None:
        chosen = with_content(chosen or neighbours.co_review, alike, findings.nearness.content)
    model = Model(
        relevance=relevance.head,
        rating=rating.head if rating else None,
        neighbours=neighbours.co_review,
        chosen_neighbours=chosen,
        rating_neighbours=neighbours.rating,
        histories=histories,
        blend=findings.blend,
    )
    return FittedModel(blended(model, findings.blend), findings)


def _find(reviews: Reviews, config: Config, checkpoints: Checkpoints, features: Floats | None) -> Findings:
    """What is found without each reviewer's last reviews, unless it was found before."""
    saved = checkpoints.load("findings")
    if saved is not None:
        return Findings.from_dict(saved.facts)
    findings = _look_for(reviews, config, checkpoints.within("search"), features)
    checkpoints.save("findings", {}, findings.to_dict())
    checkpoints.forget("search")
    return findings


def _look_for(
    reviews: Reviews, config: Config, checkpoints: Checkpoints, features: Floats | None
) -> Findings:
    """Trains without some reviews of each reviewer, and finds on those how long to train and how to blend."""
    blend = first_blend(reviews, config)
    holdouts = train_holdouts(reviews, blend, config, checkpoints, features)
    if not holdouts:
        logger.info("Too few reviews to validate on: training takes its default length")
        rounds = {
            "relevance": config.relevance.max_epochs // 3 or 1,
            "rating": config.rating.max_epochs // 2 or 1,
        }
        return Findings(rounds, blend, Nearness("damped", config.neighbours.damping), {})
    rounds = {name: _middle([holdout.rounds[name] for holdout in holdouts]) for name in holdouts[0].rounds}
    blend = choose_rating_blend(
        [holdout.model for holdout in holdouts], [holdout.held_out for holdout in holdouts], config.seed
    )
    judged = [
        Judged(blended(holdout.model, blend), holdout.tables, holdout.content, holdout.held_out)
        for holdout in holdouts
    ]
    blend, nearness = choose_blend(judged, config.seed)
    return Findings(rounds, blend, nearness, holdouts[0].curves)


def _middle(rounds: Sequence[int]) -> int:
    """The median, the greater one of two."""
    return sorted(rounds)[len(rounds) // 2]


def first_blend(reviews: Reviews, config: Config) -> Blend:
    """The blend before anything is known: what a like is, and the network as it is."""
    like_rating = config.rating.like_rating
    if like_rating is None:
        like_rating = default_like_rating(reviews.levels)
    return Blend(like_rating=like_rating, other_weight=config.relevance.other_weight)
