"""Fits a model to reviews: finds on held-out reviews how to train and blend, then trains on all reviews."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from engine.arrays import Floats
from engine.config.sections import Config
from engine.model.scorer import Model
from engine.model.values import Blend
from pipelines.dataset.reviews import Reviews, default_like_rating, histories_of
from pipelines.dataset.splits import follows_time, in_order
from pipelines.neighbours.content import with_content
from pipelines.neighbours.tables import CO_REVIEWS, DAMPINGS, NeighbourKind
from pipelines.training.holdouts import train_holdouts
from pipelines.training.one_model import train_model
from pipelines.training.prediction_blend import blended, choose_rating_blend
from pipelines.training.score_blend import choose_blend
from pipelines.work.checkpoints import NOTHING_KEPT, Checkpoints
from pipelines.work.tensorflow_start import start_tensorflow

logger = logging.getLogger(__name__)


class Findings(NamedTuple):
    """Holds what held-out reviews say of a training on more reviews."""

    rounds: dict[str, int]
    """Of each head, how long to train: the median over the holdouts."""
    blend: Blend
    """The weights by which the parts of a score are added up."""
    kind: NeighbourKind
    """The table by which movies are near to a history."""
    curves: dict[str, dict[str, list[float]]]
    """Of each head, its training losses and validation figures by round in the first holdout; empty where
    nothing was held out."""

    def summary(self) -> dict[str, Any]:
        """Returns what the manifest keeps beside the model's own section."""
        return {"rounds": self.rounds, "nearness": self.kind._asdict(), "curves": self.curves}

    def to_dict(self) -> dict[str, Any]:
        """Returns everything as plain values, from which `from_dict` restores it."""
        return {**self.summary(), "blend": asdict(self.blend)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Findings:
        """Restores what `to_dict` returned."""
        kind = NeighbourKind(**values["nearness"])
        return cls(values["rounds"], Blend(**values["blend"]), kind, values["curves"])


class FittedModel(NamedTuple):
    """Holds a trained model, and what was found for its training."""

    model: Model
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

    Each reviewer's last reviews are held out to find how long to train and how to blend, several times where
    there are few reviews. The final model is then trained on all reviews with these findings. Where the order
    of reviews says nothing, each reviewer's reviews are taken in a random order, and older ones do not fade.

    Args:
        reviews: the reviews to learn from.
        config: settings.
        features: what metadata says of the movies, from `content_features`, if it is known.
        findings: of a training on part of these reviews, in place of looking for them again.
        checkpoints: where the trainings are kept as they go, and taken up where they were kept.

    Raises:
        TrainingError: there is nothing to train on, or a loss is not finite.
        DataError: all ratings are equal.
    """
    start_tensorflow()
    histories = histories_of(reviews)
    if not follows_time(reviews, config):
        reviews = in_order(reviews, config)
        config = replace(config, relevance=replace(config.relevance, recency_power=0.0))
    if findings is None:
        findings = _find(reviews, config, checkpoints, features)
    blend, content, rounds = findings.blend, findings.kind.content, findings.rounds
    plain = findings.kind._replace(content=0.0)
    wanted = features if content else None
    trained = train_model(reviews, blend, config, [plain], wanted, checkpoints, rounds=rounds)
    chosen = None if plain == CO_REVIEWS else trained.tables[plain]
    if trained.content is not None:
        chosen = with_content(trained.tables[plain], trained.content, content)
    model = replace(trained.model, histories=histories, history_neighbours=chosen)
    return FittedModel(blended(model, blend), findings)


def _find(reviews: Reviews, config: Config, checkpoints: Checkpoints, features: Floats | None) -> Findings:
    """Returns the findings of an interrupted build, or looks for them."""
    saved = checkpoints.load("findings")
    if saved is not None:
        return Findings.from_dict(saved.facts)
    findings = _search(reviews, config, checkpoints.within("search"), features)
    checkpoints.save("findings", {}, findings.to_dict())
    checkpoints.forget("search")
    return findings


def _search(reviews: Reviews, config: Config, checkpoints: Checkpoints, features: Floats | None) -> Findings:
    """Trains without some reviews of each reviewer, and finds on those how long to train and how to blend."""
    blend = first_blend(reviews, config)
    holdouts = train_holdouts(reviews, blend, config, checkpoints, features)
    if not holdouts:
        logger.info("Too few reviews to validate on: training takes its default length")
        relevance, rating = config.relevance.max_rounds // 3 or 1, config.rating.max_rounds // 2 or 1
        rounds = {"relevance": relevance, "rating": rating}
        return Findings(rounds, blend, NeighbourKind("damped", DAMPINGS[0]), {})
    trained, held_out = (list(column) for column in zip(*holdouts, strict=True))
    middle = len(trained) // 2  # The median is the greater one of two.
    rounds = {name: sorted(one.rounds[name] for one in trained)[middle] for name in trained[0].rounds}
    blend = choose_rating_blend([one.model for one in trained], held_out, config.seed)
    trained = [one._replace(model=blended(one.model, blend)) for one in trained]
    blend, kind = choose_blend(trained, held_out, config.seed)
    return Findings(rounds, blend, kind, trained[0].curves)


def first_blend(reviews: Reviews, config: Config) -> Blend:
    """Returns the blend before anything is found: what a like is, and the scores of the heads as they are."""
    like_rating = config.rating.like_rating
    if like_rating is None:
        like_rating = default_like_rating(reviews.levels)
    return Blend(like_rating=like_rating, other_weight=config.relevance.other_weight)
