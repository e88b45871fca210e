"""Fits a model: chooses training rounds and score weights on held-out reviews; trains on all reviews."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from numpy.typing import NDArray

from engine.arrays import Floats
from engine.config.sections import Config
from engine.model.heads import RelevanceHead
from engine.model.scorer import Model
from engine.model.values import Blend
from pipelines.dataset.reviews import Reviews, histories_of, like_rating_of
from pipelines.dataset.splits import follows_time, in_order
from pipelines.neighbours.content import with_content
from pipelines.neighbours.tables import CO_REVIEWS, DAMPINGS, SUCCESSORS, NeighbourKind
from pipelines.similar.learning import choose_weights
from pipelines.similar.likeness import Weights
from pipelines.similar.traits import Traits
from pipelines.training.holdouts import train_holdouts
from pipelines.training.one_model import begin_model
from pipelines.training.prediction_blend import blended, choose_rating_blend
from pipelines.training.score_blend import choose_blend
from pipelines.work.checkpoints import NOTHING_KEPT, Checkpoints, from_arrays, to_arrays
from pipelines.work.runners import HERE, Runner

logger = logging.getLogger(__name__)


class Findings(NamedTuple):
    """Holds the choices that were made on held-out reviews, for training the final model on all reviews."""

    rounds: dict[str, int]
    """The number of rounds to train each head, by the head's name: the median over all trainings with
    held-out reviews."""
    blend: Blend
    """The weights with which relevance, similarities and other components of a movie's score are added up."""
    kind: NeighbourKind
    """The kind of neighbour table with which the model compares movies with the movies in a history."""
    curves: dict[str, dict[str, list[float]]]
    """The training loss and the validation metric after each round, by the head's name, in the first training
    with held-out reviews; empty if no reviews were held out."""
    likeness: Weights = Weights()
    """The weights with which the parts of the likeness of two movies are added up."""
    start: RelevanceHead | None = None
    """A relevance head, from whose vectors the final training on all reviews starts; None for a start from
    random vectors. The head comes from the first training with held-out reviews."""

    def summary(self) -> dict[str, Any]:
        """Returns training rounds, kind of neighbour table, losses and metrics for the manifest."""
        return {"rounds": self.rounds, "nearness": self.kind._asdict(), "curves": self.curves}

    def to_dict(self) -> dict[str, Any]:
        """Converts all fields except `start` to a dictionary that JSON can hold and `restore` can read."""
        return {**self.summary(), "blend": asdict(self.blend), "likeness": asdict(self.likeness)}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Returns the arrays of the relevance head for a checkpoint, by name; none if there is no head."""
        return {} if self.start is None else to_arrays(self.start)

    @classmethod
    def restore(cls, values: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Findings:
        """Restores findings from the values and the arrays that `to_dict` and `arrays` returned."""
        kind = NeighbourKind(**values["nearness"])
        likeness = Weights.from_dict(values["likeness"])
        start = from_arrays(RelevanceHead, arrays) if arrays else None
        return cls(values["rounds"], Blend(**values["blend"]), kind, values["curves"], likeness, start)


class FittedModel(NamedTuple):
    """Holds a trained model, and the choices with which the model was trained."""

    model: Model
    findings: Findings
    """The choices that were made on held-out reviews; another training on more reviews may use the
    choices."""


def fit_model(
    reviews: Reviews,
    config: Config,
    *,
    features: Floats | None = None,
    traits: Traits | None = None,
    findings: Findings | None = None,
    checkpoints: Checkpoints = NOTHING_KEPT,
    runner: Runner = HERE,
) -> FittedModel:
    """Trains a model on reviews, with the number of rounds and the score weights chosen on held-out reviews.

    To choose the number of rounds and the score weights, models are trained without held-out reviews: the
    last reviews of each reviewer. If there are few reviews, several models are trained, each with different
    held-out reviews. The final model is trained on all reviews. The training of the final model's relevance
    head starts from the vectors of the first model that was trained without held-out reviews. Therefore the
    training of the final relevance head takes only the share CONTINUED_SHARE of the chosen number of rounds.
    If reviews are not ordered by time, each reviewer's reviews are shuffled, and older reviews weigh as much
    as newer reviews.

    Args:
        reviews: the training reviews.
        config: the settings of the build.
        features: metadata vectors of the movies, from `content_features`; None without metadata.
        traits: the metadata by which similar movies are compared; None to learn no weights for the table of
            similar movies.
        findings: the choices that an earlier training on some of the reviews made; None to make new choices
            on held-out reviews.
        checkpoints: the checkpoints that save the state of the trainings, so that an interrupted training can
            resume.
        runner: the runner whose workers train independent heads at the same time.

    Raises:
        TrainingError: no reviewer has two reviews, or a loss is not finite.
        DataError: all ratings are equal.
    """
    histories = histories_of(reviews)
    if findings is None:
        findings = find(
            reviews, config, features=features, traits=traits, checkpoints=checkpoints, runner=runner
        )
    reviews, config = _ordered(reviews, config)
    blend, content, rounds = findings.blend, findings.kind.content, findings.rounds
    plain = findings.kind._replace(content=0.0)
    wanted = features if content else None
    kinds = [plain, SUCCESSORS] if blend.successor_weight else [plain]
    trained = begin_model(
        reviews,
        blend,
        config,
        kinds,
        wanted,
        checkpoints,
        rounds=rounds,
        start=findings.start,
        runner=runner,
    )()
    chosen = None if plain == CO_REVIEWS else trained.tables[plain]
    if trained.content is not None:
        chosen = with_content(trained.tables[plain], trained.content, content)
    model = replace(
        trained.model, histories=histories, history_neighbours=chosen, successors=trained.successors
    )
    return FittedModel(blended(model, blend), findings)


def find(
    reviews: Reviews,
    config: Config,
    *,
    features: Floats | None = None,
    traits: Traits | None = None,
    checkpoints: Checkpoints = NOTHING_KEPT,
    runner: Runner = HERE,
) -> Findings:
    """Chooses on held-out reviews the number of training rounds, the score weights and the neighbour table.

    If `checkpoints` holds the choices of an interrupted training, the saved choices are returned. The
    docstring of `fit_model` explains the arguments and the errors.
    """
    saved = checkpoints.load("findings")
    if saved is not None:
        return Findings.restore(saved.facts, saved.arrays)
    reviews, config = _ordered(reviews, config)
    findings = _search(reviews, config, checkpoints.within("search"), features, traits, runner)
    checkpoints.save("findings", findings.arrays(), findings.to_dict())
    checkpoints.forget("search")
    return findings


def _ordered(reviews: Reviews, config: Config) -> tuple[Reviews, Config]:
    """Shuffles each reviewer's reviews if the reviews have no order by time.

    If reviews are shuffled, the returned settings give older reviews the same weight as newer reviews.
    """
    if follows_time(reviews, config):
        return reviews, config
    relevance = replace(config.relevance, recency_power=0.0)
    return in_order(reviews, config), replace(config, relevance=relevance)


def _search(
    reviews: Reviews,
    config: Config,
    checkpoints: Checkpoints,
    features: Floats | None,
    traits: Traits | None,
    runner: Runner,
) -> Findings:
    """Chooses training rounds and score weights with models that are trained without held-out reviews."""
    blend = first_blend(reviews, config)
    holdouts = train_holdouts(reviews, blend, config, checkpoints, features, runner)
    if not holdouts:
        logger.info("Too few reviews to validate on: training takes its default length")
        relevance, rating = config.relevance.max_rounds // 3 or 1, config.rating.max_rounds // 2 or 1
        rounds = {"relevance": relevance, "rating": rating}
        return Findings(rounds, blend, NeighbourKind("damped", DAMPINGS[0]), {})
    trained, held_out = (list(column) for column in zip(*holdouts, strict=True))
    middle = len(trained) // 2  # The position of the upper median.
    rounds = {name: sorted(one.rounds[name] for one in trained)[middle] for name in trained[0].rounds}
    blend = choose_rating_blend([one.model for one in trained], held_out, config.seed)
    trained = [one._replace(model=blended(one.model, blend)) for one in trained]
    blend, kind = choose_blend(trained, held_out, config.seed)
    likeness = Weights()
    if traits is not None:
        likeness = choose_weights(trained[0].model, held_out[0], traits, config.seed)
    return Findings(rounds, blend, kind, trained[0].curves, likeness, trained[0].model.relevance)


def first_blend(reviews: Reviews, config: Config) -> Blend:
    """Returns the default weights with which the components of a movie's score are added up."""
    return Blend(like_rating=like_rating_of(reviews, config), other_weight=config.relevance.other_weight)
