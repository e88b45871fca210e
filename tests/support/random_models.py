"""Models of random numbers, for tests of what is done with a model."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.model.heads import ColdDoubts, RatingHead, RelevanceHead
from engine.model.histories import Histories
from engine.model.neighbours import NeighbourTable
from engine.model.scorer import Model
from engine.model.values import Blend

NUM_REVIEWERS, NUM_MOVIES, DIM = 12, 50, 6
LEVELS = np.arange(1, 6, dtype=np.float32)
BLEND = Blend(
    like_rating=4.0,
    neighbour_weight=0.7,
    successor_weight=0.4,
    like_weight=0.5,
    rating_neighbour_weight=0.3,
    log_temperature=0.2,
)


def random_table(
    generator: np.random.Generator, num_movies: int = NUM_MOVIES, share: float = 0.2
) -> NeighbourTable:
    """Draws a table in which each movie has a `share` of the other movies for neighbours."""
    present = generator.random((num_movies, num_movies)) < share
    np.fill_diagonal(present, False)
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    weights = generator.random(int(present.sum())).astype(np.float32)
    return NeighbourTable(offsets, np.nonzero(present)[1].astype(np.int32), weights)


def random_histories(
    generator: np.random.Generator, lengths: Sequence[int] | None = None, num_movies: int = NUM_MOVIES
) -> Histories:
    """Draws histories; by default the first reviewer has reviewed nothing."""
    if lengths is None:
        lengths = [0, *generator.integers(1, 15, NUM_REVIEWERS - 1)]
    movies = np.concatenate([generator.permutation(num_movies)[:length] for length in lengths])
    levels = generator.integers(0, 5, len(movies)).astype(np.int8)
    return Histories(np.concatenate([[0], np.cumsum(lengths)]), movies.astype(np.int32), levels)


def with_doubts(model: Model, share: float = 0.4) -> Model:
    """Returns a copy of a model of which a share of the movies are cold and doubted."""
    generator = np.random.default_rng(1)
    size = model.relevance.movie_vectors.shape[1]
    doubts = ColdDoubts(
        is_cold=generator.random(model.num_movies) < share,
        errors=generator.standard_normal((size, size)).astype(np.float32),
        included=5.0,
    )
    return replace(model, doubts=doubts)


def random_model(
    *,
    rated: bool = True,
    linear: bool = False,
    near_ratings: bool = True,
    lengths: Sequence[int] | None = None,
    num_movies: int = NUM_MOVIES,
    scale: float = 1.0,
    share: float = 0.2,
    max_history: int = 8,
    blend: Blend = BLEND,
    seed: int = 0,
) -> Model:
    """Draws a model.

    Args:
        rated: whether the data has ratings.
        linear: whether a table of its own says which movies are near to a history.
        near_ratings: whether there are similarities of ratings.
        lengths: how many movies each reviewer has reviewed; by default twelve short histories are drawn.
        num_movies: how many movies there are.
        scale: the standard deviation of the weights.
        share: the share of the movies that are neighbours of a movie.
        max_history: the latest reviews that count.
        blend: how the parts of a score are added up.
        seed: draws another model.
    """
    generator = np.random.default_rng(seed)
    num_reviewers = NUM_REVIEWERS if lengths is None else len(lengths)

    def normal(*shape: int) -> np.ndarray:
        return scale * generator.standard_normal(shape).astype(np.float32)

    relevance = RelevanceHead(
        movie_vectors=normal(num_movies, DIM + 1),
        history_vectors=normal(num_movies, DIM),
        reviewer_embeddings=normal(num_reviewers, DIM),
        level_weights=normal(5 if rated else 1),
        recency_power=0.4,
        max_history=max_history,
    )
    rating = RatingHead(
        levels=LEVELS,
        movie_vectors=normal(num_movies, DIM + 2) / 2,
        history_vectors=normal(num_movies, 2 * DIM) / 2,
        reviewer_biases=normal(num_reviewers, 2) / 2,
        movie_means=3 + normal(num_movies) / 2,
        thresholds=np.sort(normal(4)),
        dot_weights=normal(DIM),
        kernels=[normal(3 * DIM, 4) / 2, normal(4, 2) / 2],
        biases=[normal(4), normal(2)],
    )
    histories = random_histories(generator, lengths, num_movies)
    if not rated:
        histories = Histories(histories.offsets, histories.movie_rows, 0 * histories.level_rows)

    def table() -> NeighbourTable:
        return random_table(generator, num_movies, share)

    return Model(
        relevance=relevance,
        rating=rating if rated else None,
        neighbours=table(),
        history_neighbours=table() if linear else None,
        rating_neighbours=table() if rated and near_ratings else None,
        histories=histories,
        blend=blend,
        successors=table(),
    )
