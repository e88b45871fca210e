"""Models of random numbers, for tests of what is done with a model."""

import numpy as np

from engine.model.heads import RatingHead, RelevanceHead
from engine.model.histories import Histories
from engine.model.neighbours import NeighbourTable
from engine.model.scorer import Blend, Model

NUM_REVIEWERS, NUM_MOVIES, DIM = 12, 50, 6
LEVELS = np.arange(1, 6, dtype=np.float32)
BLEND = Blend(
    like_rating=4.0,
    neighbour_weight=0.7,
    like_weight=0.5,
    rating_neighbour_weight=0.3,
    log_temperature=0.2,
)


def random_table(generator: np.random.Generator) -> NeighbourTable:
    present = generator.random((NUM_MOVIES, NUM_MOVIES)) < 0.2
    np.fill_diagonal(present, False)
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    weights = generator.random(int(present.sum())).astype(np.float32)
    return NeighbourTable(offsets, np.nonzero(present)[1].astype(np.int32), weights)


def random_histories(generator: np.random.Generator) -> Histories:
    """The first reviewer has reviewed nothing."""
    counts = np.concatenate([[0], generator.integers(1, 15, NUM_REVIEWERS - 1)])
    movies = np.concatenate([generator.permutation(NUM_MOVIES)[:count] for count in counts])
    levels = generator.integers(0, 5, len(movies)).astype(np.int8)
    return Histories(np.concatenate([[0], np.cumsum(counts)]), movies.astype(np.int32), levels)


def random_model(*, rated: bool = True, linear: bool = False, seed: int = 0) -> Model:
    generator = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    relevance = RelevanceHead(
        movie_vectors=normal(NUM_MOVIES, DIM + 1),
        history_vectors=normal(NUM_MOVIES, DIM),
        reviewer_embeddings=normal(NUM_REVIEWERS, DIM),
        level_weights=normal(5 if rated else 1),
        recency_power=0.4,
        max_history=8,
    )
    rating = RatingHead(
        levels=LEVELS,
        movie_vectors=normal(NUM_MOVIES, DIM + 2) / 2,
        history_vectors=normal(NUM_MOVIES, 2 * DIM) / 2,
        reviewer_biases=normal(NUM_REVIEWERS, 2) / 2,
        baselines=3 + normal(NUM_MOVIES) / 2,
        thresholds=np.sort(normal(4)),
        dot_weights=normal(DIM),
        kernels=[normal(3 * DIM, 4) / 2, normal(4, 2) / 2],
        biases=[normal(4), normal(2)],
    )
    histories = random_histories(generator)
    if not rated:
        histories = Histories(histories.offsets, histories.movie_rows, 0 * histories.level_rows)
    return Model(
        relevance=relevance,
        rating=rating if rated else None,
        neighbours=random_table(generator),
        chosen_neighbours=random_table(generator) if linear else None,
        rating_neighbours=random_table(generator) if rated else None,
        histories=histories,
        blend=BLEND,
    )
