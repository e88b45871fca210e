"""Trains one model on given reviews: the relevance head, the rating head and all neighbour tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

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
from pipelines.work.runners import HERE, Runner
from pipelines.work.tensorflow_start import ONE_THREAD_UP_TO, start_tensorflow

CONTINUED_SHARE = 1 / 3
"""A training that starts from the vectors of an earlier training takes fewer rounds: this share of the rounds
of a training that starts from random vectors."""


class TrainedModel(NamedTuple):
    """Holds the model of one training, and the neighbour tables from which one is chosen later."""

    model: Model
    """The trained model, which scores with the neighbour table of the kind CO_REVIEWS."""
    tables: dict[NeighbourKind, NeighbourTable]
    """The neighbour tables by kind, the kind CO_REVIEWS first; one of the tables is later chosen to compare
    movies with the movies in a history."""
    content: NeighbourTable | None
    """The table of movies with similar metadata; None without metadata, or if the configuration asks for no
    neighbours by metadata."""
    successors: NeighbourTable | None
    """The table of the movies that reviewers reviewed soon after each movie; None if the argument `kinds` of
    `begin_model` did not contain SUCCESSORS."""
    rounds: dict[str, int]
    """The number of training rounds that produced the weights of each head, by the head's name. Training
    rounds after the round with the best validation metric do not count."""
    curves: dict[str, dict[str, list[float]]]
    """The training loss and the validation metric after each round, by the head's name."""


def begin_model(
    reviews: Reviews,
    blend: Blend,
    config: Config,
    kinds: Sequence[NeighbourKind],
    features: Floats | None,
    checkpoints: Checkpoints,
    *,
    rounds: Mapping[str, int] | None = None,
    start: RelevanceHead | None = None,
    held_out: Reviews | None = None,
    runner: Runner = HERE,
) -> Callable[[], TrainedModel]:
    """Begins to train the two heads of a model; returns a function that waits for the trained model.

    The heads are trained for given numbers of rounds, or until the metric on held-out reviews stops
    improving. If `runner` works in the calling process, the relevance head and the rating head are trained at
    the same time for more than ONE_THREAD_UP_TO reviews. For fewer reviews, the two heads are trained one
    after the other. On Ray, the two heads are trained at the same time if two workers are free. The function
    that `begin_model` returns waits for the trained heads, builds the neighbour tables, and returns the
    model. The function that `begin_model` returns raises TrainingError if no reviewer has two reviews, or if
    a training loss is not finite.

    Args:
        reviews: the training reviews.
        blend: the score weights of the model. In the neighbour tables, a review with at least
            `blend.like_rating` stars weighs 1; a review with a lower rating weighs `blend.other_weight`.
        config: the settings of the build.
        kinds: the kinds of neighbour table to build besides the kind CO_REVIEWS.
        features: metadata vectors of the movies, from `content_features`; None without metadata.
        checkpoints: the checkpoints that save the state of the training, so that an interrupted training can
            resume.
        rounds: maps the name of each head, "relevance" or "rating", to the number of rounds to train the
            head. For a head without a number, the largest number of rounds is the head's setting
            `max_rounds`.
        start: the relevance head of an earlier training on a part of the reviews. The training of the
            relevance head starts from the vectors of `start`, and takes only the share CONTINUED_SHARE of the
            rounds in `rounds`. If `start` is None, the training starts from random vectors.
        held_out: the reviews on which each head is validated after each round; None to train without
            validation.
        runner: the runner in whose workers the heads are trained.
    """
    shared, validation, kept = runner.share(reviews), runner.share(held_out), runner.keep(checkpoints)
    started, num_rounds = runner.share(start), rounds or {}
    trainers: dict[str, Callable[..., Any]] = {"relevance": _train_relevance}
    if reviews.has_ratings:
        trainers["rating"] = _train_rating
    begun = {
        name: runner.begin(
            train,
            shared,
            validation,
            started,
            blend.like_rating,
            config,
            num_rounds.get(name),
            kept,
            runner,
        )
        for name, train in trainers.items()
    }

    def finish() -> TrainedModel:
        is_small = len(reviews) <= ONE_THREAD_UP_TO
        heads = {name: wait() for name, wait in begun.items()} if is_small else runner.wait_for(begun)
        rating = heads.get("rating")
        neighbours = build_neighbours(reviews, blend, config.neighbours, config.ingest, kinds)
        successors = neighbours.by_kind.pop(SUCCESSORS, None)
        model = Model(
            relevance=heads["relevance"].head,
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

    return finish


def _train_relevance(
    reviews: Reviews,
    held_out: Reviews | None,
    start: RelevanceHead | None,
    like_rating: float,
    config: Config,
    rounds: int | None,
    checkpoints: Checkpoints,
    runner: Runner,
) -> Trained[RelevanceHead]:
    """Trains the relevance heads, whose mean is the relevance of the model."""
    start_tensorflow(len(reviews))
    if start is not None and rounds is not None:
        rounds = max(1, round(rounds * CONTINUED_SHARE))
    validate = None
    if held_out is not None:
        validate = ndcg_of(reviews, held_out.select(held_out.likes(like_rating)), config.seed)
    return train_members(
        reviews,
        reviews.likes(like_rating),
        config.relevance,
        config.seed,
        validate=validate,
        rounds=rounds,
        start=start,
        checkpoints=checkpoints,
        runner=runner,
    )


def _train_rating(
    reviews: Reviews,
    held_out: Reviews | None,
    _start: RelevanceHead | None,
    _like_rating: float,
    config: Config,
    rounds: int | None,
    checkpoints: Checkpoints,
    _runner: Runner,
) -> Trained[RatingHead]:
    """Trains the rating head."""
    start_tensorflow(len(reviews))
    validate = None if held_out is None else likelihood_of(reviews, held_out, config.seed)
    return train_rating(
        reviews, config.rating, config.seed, validate=validate, rounds=rounds, checkpoints=checkpoints
    )
