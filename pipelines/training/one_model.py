"""Trains one model on given reviews: the relevance head, the rating head and all neighbour tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.arrays import Floats
from engine.config.sections import Config
from engine.model.heads import RatingHead, RelevanceHead
from engine.model.neighbours import NeighbourTable
from engine.model.scorer import Model
from engine.model.values import Blend
from pipelines.dataset.reviews import Reviews, histories_of
from pipelines.neighbours.content import content_table
from pipelines.neighbours.tables import CO_REVIEWS, SUCCESSORS, NeighbourKind, build_neighbours
from pipelines.training.ensemble import train_members
from pipelines.training.loops import Trained, train_rating
from pipelines.training.validation import likelihood_of, ndcg_of
from pipelines.work.checkpoints import Checkpoints


class TrainedModel(NamedTuple):
    """Holds the model of one training, and the neighbour tables among which one is chosen later."""

    model: Model
    """The trained model, which scores with the neighbour table of plain co-reviews."""
    tables: dict[NeighbourKind, NeighbourTable]
    """The neighbour tables by kind, plain co-reviews first; one of these tables will compare movies with
    histories."""
    content: NeighbourTable | None
    """The table of neighbours by similar metadata; None if there is no metadata, or if the configuration asks
    for no neighbours by metadata."""
    successors: NeighbourTable | None
    """The table of the movies that came soon after each movie in histories; None if it was not asked for."""
    rounds: dict[str, int]
    """The number of rounds that each head was trained, by name of the head; the number of the best round if
    the head was validated."""
    curves: dict[str, dict[str, list[float]]]
    """The training loss and the validation metric after each round, by name of the head."""


def train_model(
    reviews: Reviews,
    blend: Blend,
    config: Config,
    kinds: Sequence[NeighbourKind],
    features: Floats | None,
    checkpoints: Checkpoints,
    *,
    rounds: Mapping[str, int] | None = None,
    held_out: Reviews | None = None,
) -> TrainedModel:
    """Trains a model for given numbers of rounds, or until the metric on held-out reviews stops improving.

    Args:
        reviews: the training reviews.
        blend: gives the lowest rating of a like and the weight of other reviews.
        config: the settings of the build.
        kinds: kinds of neighbour table to build besides plain co-reviews.
        features: metadata vectors of the movies, from `content_features`; None if there is no metadata.
        checkpoints: saves the state of the training, from which an interrupted training resumes.
        rounds: the number of rounds to train each head, by name; needed without `held_out`.
        held_out: reviews on which each head is validated after each round.

    Raises:
        TrainingError: no reviewer has two reviews, or a loss is not finite.
    """
    seed, length = config.seed, rounds or {}
    validate_relevance, validate_rating = None, None
    if held_out is not None:
        liked = held_out.select(held_out.likes(blend.like_rating))
        validate_relevance = ndcg_of(reviews, liked, seed)
        validate_rating = likelihood_of(reviews, held_out, seed)
    relevance = train_members(
        reviews,
        reviews.likes(blend.like_rating),
        config.relevance,
        seed,
        validate=validate_relevance,
        rounds=length.get("relevance"),
        checkpoints=checkpoints,
    )
    heads: dict[str, Trained[RelevanceHead] | Trained[RatingHead]] = {"relevance": relevance}
    rating = None
    if reviews.has_ratings:
        heads["rating"] = rating = train_rating(
            reviews,
            config.rating,
            seed,
            validate=validate_rating,
            rounds=length.get("rating"),
            checkpoints=checkpoints,
        )
    neighbours = build_neighbours(reviews, blend, config.neighbours, config.ingest, kinds)
    successors = neighbours.by_kind.pop(SUCCESSORS, None)
    model = Model(
        relevance=relevance.head,
        rating=rating.head if rating else None,
        neighbours=neighbours.by_kind[CO_REVIEWS],
        history_neighbours=None,
        rating_neighbours=neighbours.rating,
        histories=histories_of(reviews),
        blend=blend,
    )
    return TrainedModel(
        model,
        neighbours.by_kind,
        content_table(reviews, features, config.neighbours),
        successors,
        {name: head.rounds for name, head in heads.items()},
        {name: {"loss": head.losses, "validation": head.figures} for name, head in heads.items()},
    )
