"""Builds the candidate index over the movie vectors, and audits what the two-stage search loses."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.candidates import CandidateSource
from engine.config import Config
from engine.errors import ConfigError, IndexQualityError
from engine.lists import best_places
from engine.scorer import ALL, Model, Reviewer
from indexes.base import VectorIndex, VectorIndexError
from indexes.choose import build_index as build_vector_index

logger = logging.getLogger(__name__)

FIRST_CANDIDATES = 200
"""Candidates of each source that are tried first; then twice as many, and again."""
_TUNING_QUERIES = 200


class Search(NamedTuple):
    """The first stage, ready to be kept."""

    vectors: VectorIndex
    """The index over the movie vectors."""
    section: dict[str, Any]
    """What the manifest says of it: num_candidates, the kind of index, and why."""
    audit: dict[str, Any]
    """What was compared, and the recall."""


def build_search(model: Model, config: Config) -> Search:
    """Builds the index and widens the candidates until enough of the exhaustive top lists is found.

    Raises:
        IndexQualityError: even all movies as candidates of the index do not reach the floor.
    """
    reviewer_rows = _sample(len(model.histories), config.index.audit_reviewers, config.seed)
    reviewers = [model.reviewer(int(row)) for row in reviewer_rows]
    queries = np.stack([reviewer.query for reviewer in reviewers[:_TUNING_QUERIES]])
    try:
        index, report = build_vector_index(
            model.relevance.movie_vectors,
            queries,
            recall_target=config.index.recall_floor,
            kind=config.index.kind,
            k=min(FIRST_CANDIDATES, model.num_movies),
            seed=config.seed,
        )
    except VectorIndexError as error:
        raise ConfigError(f"Cannot build the index: {error}") from error
    exhaustive = [_exhaustive(model, reviewer, config.index.audit_k) for reviewer in reviewers]
    num_candidates, recall = _widen(model, index, reviewers, exhaustive, config)
    logger.info("%s candidates a source find %.4f of the exhaustive top lists", num_candidates, recall)
    audit = {
        "recall": recall,
        "floor": config.index.recall_floor,
        "k": config.index.audit_k,
        "reviewers": len(reviewers),
    }
    return Search(index, {"num_candidates": num_candidates, **report}, audit)


def _widen(
    model: Model,
    index: VectorIndex,
    reviewers: Sequence[Reviewer],
    exhaustive: Sequence[NDArray[np.int64]],
    config: Config,
) -> tuple[int, float]:
    num_candidates = min(FIRST_CANDIDATES, model.num_movies)
    while True:
        source = CandidateSource(model, index, num_candidates)
        recall = _recall(model, source, reviewers, exhaustive, config.index.audit_k)
        if recall >= config.index.recall_floor:
            return num_candidates, recall
        if num_candidates >= model.num_movies:
            raise IndexQualityError(
                recall,
                config.index.recall_floor,
                "build with --set index.kind=flat, or lower index.recall_floor",
            )
        num_candidates = min(2 * num_candidates, model.num_movies)


def _recall(
    model: Model,
    source: CandidateSource,
    reviewers: Sequence[Reviewer],
    exhaustive: Sequence[NDArray[np.int64]],
    k: int,
) -> float:
    """The part of the exhaustive top lists that the two-stage lists hold, over all reviewers."""
    found = total = 0
    for reviewer, rows, best in zip(reviewers, source.find(reviewers, k), exhaustive, strict=True):
        top = rows[best_places(model.rescore(reviewer, rows).score, k)]
        found += int(np.isin(best, top).sum())
        total += len(best)
    return found / total if total else 1.0


def _exhaustive(model: Model, reviewer: Reviewer, k: int) -> NDArray[np.int64]:
    scores = model.rescore(reviewer, ALL).score.copy()
    unseen = np.setdiff1d(np.arange(model.num_movies), reviewer.history.movie_rows)
    return unseen[best_places(scores[unseen], k)]


def _sample(num_reviewers: int, wanted: int, seed: int) -> NDArray[np.int64]:
    rows: NDArray[np.int64] = np.random.default_rng(seed).permutation(num_reviewers)[:wanted]
    return rows
