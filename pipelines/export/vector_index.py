"""Builds the candidate index over the movie vectors, and audits what the two-stage search loses."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.artifact.layout import INDEX_FILE, STRONGEST_FILE
from engine.artifact.writer import ArtifactWriter
from engine.config.sections import Config
from engine.config.values import size_in_bytes
from engine.errors import ArtifactError, ConfigError, IndexQualityError
from engine.model.scorer import Model
from engine.search.batch_candidates import BatchSource
from engine.search.candidates import CandidateSource
from engine.search.top_lists import exhaustive_lists, top_lists
from indexes.base import VectorIndex, VectorIndexError
from indexes.choose import build_index as build_vector_index
from indexes.faiss_index import FlatIndex
from indexes.strongest import StrongestIndex, strongest_rows

logger = logging.getLogger(__name__)

FIRST_CANDIDATES = 200
"""Candidates of each source that are tried first; then twice as many, and again."""
_TUNING_REVIEWERS = 200
_STRONGEST_PARTS = (48, 32, 24, 16, 12, 8, 6, 4)
"""Of a catalogue whose movies are not all compared, the parts that are tried for everyone's lists."""


class Search(NamedTuple):
    """The first stage, ready to be kept."""

    vectors: VectorIndex
    """The index over the movie vectors."""
    strongest: StrongestIndex | None
    """The movies that everyone's lists are searched for in; None where they are searched for in the index."""
    section: dict[str, Any]
    """What the manifest says of it: num_candidates, the kind of index, and why."""
    audit: dict[str, Any]
    """What was compared, and the recall."""


def build_search(model: Model, config: Config) -> Search:
    """Builds the index and widens the search until enough of the exhaustive top lists is found.

    The index is tuned to what both stages find together, on other reviewers than those of the audit where
    there are enough.

    Raises:
        ConfigError: there are too few movies for the kind of index.
        IndexQualityError: even all movies as candidates of the index do not reach the floor.
    """
    sampled = _sample(len(model.histories), config.index.audit_reviewers + _TUNING_REVIEWERS, config.seed)
    reviewer_rows = sampled[: config.index.audit_reviewers]
    try:
        index, report = _build_index(model, sampled[-_TUNING_REVIEWERS:], config)
    except VectorIndexError as error:
        raise ConfigError(f"Cannot build the index: {error}") from error
    exhaustive = exhaustive_lists(model, reviewer_rows, config.index.audit_k).movie_rows
    num_candidates, recall = _widen(model, index, reviewer_rows, exhaustive, config)
    logger.info("%s candidates a source find %.4f of the exhaustive top lists", num_candidates, recall)
    audit = {
        "recall": recall,
        "floor": config.index.recall_floor,
        "k": config.index.audit_k,
        "reviewers": len(reviewer_rows),
    }
    section = {"num_candidates": num_candidates, **report, **index.settings()}
    strongest = None
    if not isinstance(index, FlatIndex):
        strongest = _strongest(model, sampled, num_candidates, config)
    if strongest is not None:
        section["strongest"] = {"num_vectors": strongest.vectors.num_vectors, "recall": strongest.recall}
    return Search(index, None if strongest is None else strongest.vectors, section, audit)


def _build_index(
    model: Model, reviewer_rows: NDArray[np.int64], config: Config
) -> tuple[VectorIndex, dict[str, Any]]:
    """Builds the index, tuned on some reviewers to a little more than the floor."""
    k, num_candidates = config.index.audit_k, min(FIRST_CANDIDATES, model.num_movies)
    exhaustive = exhaustive_lists(model, reviewer_rows, k).movie_rows

    def measure(index: VectorIndex) -> float:
        source = CandidateSource(model, index, num_candidates)
        return _recall(top_lists(source, reviewer_rows, k).movie_rows, exhaustive)

    return build_vector_index(
        model.relevance.movie_vectors,
        model.reviewers(reviewer_rows).queries,
        recall_target=_target(config),
        kind=config.index.kind,
        k=num_candidates,
        seed=config.seed,
        memory_limit=size_in_bytes(config.index.memory_limit),
        measure=measure,
    )


class _Strongest(NamedTuple):
    vectors: StrongestIndex
    recall: float


def _strongest(
    model: Model, reviewer_rows: NDArray[np.int64], num_candidates: int, config: Config
) -> _Strongest | None:
    """The fewest movies in which everyone's lists are found, or None where they would be too many."""
    vectors, k = model.relevance.movie_vectors, config.index.audit_k
    queries = model.reviewers(reviewer_rows).queries
    exhaustive = exhaustive_lists(model, reviewer_rows, k).movie_rows
    for part in _STRONGEST_PARTS:
        rows = strongest_rows(vectors, queries, -(-len(vectors) // part))
        strongest = StrongestIndex(vectors[rows], rows)
        source = BatchSource(model, strongest, num_candidates)
        recall = _recall(top_lists(source, reviewer_rows, k).movie_rows, exhaustive)
        if recall >= _target(config):
            logger.info("1 of %s movies finds %.4f of everyone's exhaustive top lists", part, recall)
            return _Strongest(strongest, recall)
    return None


def _target(config: Config) -> float:
    """What is asked for in tuning: a little more than the floor."""
    return config.index.recall_floor + (1 - config.index.recall_floor) / 4


def _widen(
    model: Model,
    index: VectorIndex,
    reviewer_rows: NDArray[np.int64],
    exhaustive: NDArray[np.int64],
    config: Config,
) -> tuple[int, float]:
    num_candidates = min(FIRST_CANDIDATES, model.num_movies)
    while True:
        source = CandidateSource(model, index, num_candidates)
        found = top_lists(source, reviewer_rows, config.index.audit_k).movie_rows
        recall = _recall(found, exhaustive)
        if recall >= config.index.recall_floor:
            return num_candidates, recall
        if not index.widen() and num_candidates >= model.num_movies:
            raise IndexQualityError(
                recall,
                config.index.recall_floor,
                "build with --set index.kind=flat, or lower index.recall_floor",
            )
        num_candidates = min(2 * num_candidates, model.num_movies)


def _recall(found: NDArray[np.int64], exhaustive: NDArray[np.int64]) -> float:
    """The part of the exhaustive lists that is found, over all reviewers; each is int64 [num, k], padded."""
    listed = exhaustive >= 0
    held = (found[:, None, :] == exhaustive[:, :, None]).any(axis=2) & listed
    return float(held.sum() / listed.sum()) if listed.any() else 1.0


def _sample(num_reviewers: int, wanted: int, seed: int) -> NDArray[np.int64]:
    rows: NDArray[np.int64] = np.random.default_rng(seed).permutation(num_reviewers)[:wanted]
    return rows


def write_search(search: Search, writer: ArtifactWriter) -> None:
    """Adds the index file, the strongest vectors where there are some, and the manifest's section `search`.

    Raises:
        ArtifactError: the index cannot be written.
    """
    try:
        search.vectors.save(writer.path_for(INDEX_FILE))
        if search.strongest is not None:
            search.strongest.save(writer.path_for(STRONGEST_FILE))
    except VectorIndexError as error:
        raise ArtifactError(f"Cannot write the index to {writer.directory}: {error}") from error
    writer.add_section("search", search.section)
