"""Trains both heads and builds all neighbour tables once, on whatever reviews it is given."""

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
from pipelines.neighbours.tables import CO_REVIEWS, NeighbourKind, build_neighbours
from pipelines.training.ensemble import train_members
from pipelines.training.loops import Trained, train_rating
from pipelines.training.validation import likelihood_of, ndcg_of
from pipelines.work.checkpoints import Checkpoints


class TrainedModel(NamedTuple):
    """Holds the model of one training, and the tables that may be chosen for it."""

    model: Model
    """Scores with the table of plain co-reviews."""
    tables: dict[NeighbourKind, NeighbourTable]
    """Tables by which movies may be near to a history, plain co-reviews first."""
    content: NeighbourTable | None
    """Movies that are alike by metadata; None where metadata says nothing."""
    rounds: dict[str, int]
    """Of each head, the rounds that were trained, or after which it did best."""
    curves: dict[str, dict[str, list[float]]]
    """Of each head, its training losses and validation figures by round."""


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
    """Trains a model whose length of training is given, or found on held-out reviews.

    Args:
        reviews: the reviews to learn from.
        blend: says what a like is.
        config: settings.
        kinds: kinds of neighbour table to build besides plain co-reviews.
        features: what metadata says of the movies, from `content_features`.
        checkpoints: where the training is kept as it goes, and taken up where it was kept.
        rounds: how long to train each head; needed without `held_out`.
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
        {name: head.rounds for name, head in heads.items()},
        {name: {"loss": head.losses, "validation": head.figures} for name, head in heads.items()},
    )
