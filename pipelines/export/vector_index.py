"""Builds, audits and writes the vector index."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import numpy as np

from engine.arrays import Rows
from engine.artifact.layout import AUDIT_SECTION, SEARCH_SECTION, STRONGEST_FILE, VECTOR_INDEX_FILE
from engine.artifact.writer import ArtifactWriter
from engine.config.sections import Config
from engine.config.values import size_in_bytes
from engine.errors import ArtifactError, ConfigError, IndexQualityError
from engine.model.scorer import Model
from engine.search.batch_candidates import BatchSource
from engine.search.candidates import CandidateSource
from engine.search.top_lists import exhaustive_lists, top_lists
from indexes.base import VectorIndex, VectorIndexError
from indexes.choose import build_vector_index
from indexes.strongest import StrongestIndex, strongest_rows

logger = logging.getLogger(__name__)

FIRST_CANDIDATES = 200
"""Candidates of each source that the audit tries first; it doubles them until the recall is reached."""
_AUDIT_K = 10
"""Length of the lists that the audit compares."""
_AUDIT_REVIEWERS = 500
"""Reviewers whose lists the audit compares."""
_TUNING_REVIEWERS = 200
"""Reviewers on whom the vector index is tuned; others than the audit's where there are enough."""
_STRONGEST_PARTS = (48, 32, 24, 16, 12, 8, 6, 4)
"""Divisors of the number of movies, the fewest movies first, that are tried for everyone's lists."""


class Search(NamedTuple):
    """The first stage of the search, ready to be written."""

    vectors: VectorIndex
    """The index over the movie vectors."""
    strongest: StrongestIndex | None
    """The movies among which everyone's lists are searched; None where they are searched in the index."""
    section: dict[str, Any]
    """The manifest's section `search`: num_candidates, the kind of index, and why."""
    audit: dict[str, Any]
    """The manifest's section `audit`: the recall against scoring every movie, and how it was measured."""


class _Judge:
    """Knows some reviewers' exhaustive top lists, and tells which part of them a search finds."""

    def __init__(self, model: Model, reviewer_rows: Rows) -> None:
        self._reviewer_rows = reviewer_rows
        self._exhaustive = exhaustive_lists(model, reviewer_rows, _AUDIT_K).movie_rows

    def recall(self, source: CandidateSource) -> float:
        return _recall(top_lists(source, self._reviewer_rows, _AUDIT_K).movie_rows, self._exhaustive)


def build_search(model: Model, config: Config) -> Search:
    """Builds the vector index and widens the search until enough of the exhaustive top lists is found.

    Raises:
        ConfigError: there are too few movies for the kind of index.
        IndexQualityError: even all movies as candidates do not reach the floor.
    """
    generator = np.random.default_rng(config.seed)
    sampled = generator.permutation(len(model.histories))[: _AUDIT_REVIEWERS + _TUNING_REVIEWERS]
    reviewer_rows = sampled[:_AUDIT_REVIEWERS]
    try:
        vectors, report = _build_vector_index(model, sampled[-_TUNING_REVIEWERS:], config)
    except VectorIndexError as error:
        raise ConfigError(f"Cannot build the index: {error}") from error
    num_candidates, recall = _widen(model, vectors, _Judge(model, reviewer_rows), config.index.recall_floor)
    logger.info("%s candidates a source find %.4f of the exhaustive top lists", num_candidates, recall)
    section = {"num_candidates": num_candidates, **report, **vectors.settings()}
    strongest = None
    if not vectors.is_exact:
        strongest, found = _find_strongest(model, sampled, num_candidates, config)
        if strongest is not None:
            section["strongest"] = {"num_vectors": strongest.num_vectors, "recall": found}
    measured = {"k": _AUDIT_K, "reviewers": len(reviewer_rows)}
    audit = {"recall": recall, "floor": config.index.recall_floor, **measured}
    return Search(vectors, strongest, section, audit)


def write_search(search: Search, writer: ArtifactWriter) -> None:
    """Adds the vector index, the strongest vectors if any, and the sections `search` and `audit`.

    Raises:
        ArtifactError: the vector index cannot be written.
    """
    try:
        search.vectors.save(writer.path_for(VECTOR_INDEX_FILE))
        if search.strongest is not None:
            search.strongest.save(writer.path_for(STRONGEST_FILE))
    except VectorIndexError as error:
        raise ArtifactError(f"Cannot write the index to {writer.directory}: {error}") from error
    writer.add_section(SEARCH_SECTION, search.section)
    writer.add_section(AUDIT_SECTION, search.audit)


def _build_vector_index(
    model: Model, reviewer_rows: Rows, config: Config
) -> tuple[VectorIndex, dict[str, Any]]:
    """Builds the vector index, tuned on some reviewers to what both stages find together."""
    num_candidates = min(FIRST_CANDIDATES, model.num_movies)
    judge = _Judge(model, reviewer_rows)
    return build_vector_index(
        model.relevance.movie_vectors,
        model.reviewers(reviewer_rows).queries,
        recall_target=_tuning_target(config),
        kind=config.index.kind,
        k=num_candidates,
        seed=config.seed,
        memory_limit=size_in_bytes(config.index.memory_limit),
        measure=lambda vectors: judge.recall(CandidateSource(model, vectors, num_candidates)),
    )


def _find_strongest(
    model: Model, reviewer_rows: Rows, num_candidates: int, config: Config
) -> tuple[StrongestIndex | None, float]:
    """Finds the fewest movies among which everyone's lists are found, or None if they would be too many."""
    vectors = model.relevance.movie_vectors
    queries = model.reviewers(reviewer_rows).queries
    judge = _Judge(model, reviewer_rows)
    recall = 0.0
    for part in _STRONGEST_PARTS:
        rows = strongest_rows(vectors, queries, -(-len(vectors) // part))
        strongest = StrongestIndex(vectors[rows], rows)
        recall = judge.recall(BatchSource(model, strongest, num_candidates))
        if recall >= _tuning_target(config):
            logger.info("1 of %s movies finds %.4f of everyone's exhaustive top lists", part, recall)
            return strongest, recall
    return None, recall


def _tuning_target(config: Config) -> float:
    """Returns the recall that tuning asks for: a little more than the floor."""
    return config.index.recall_floor + (1 - config.index.recall_floor) / 4


def _widen(model: Model, vectors: VectorIndex, judge: _Judge, floor: float) -> tuple[int, float]:
    """Asks for more candidates until the floor is reached; returns their number and the recall."""
    num_candidates = min(FIRST_CANDIDATES, model.num_movies)
    while True:
        recall = judge.recall(CandidateSource(model, vectors, num_candidates))
        if recall >= floor:
            return num_candidates, recall
        if not vectors.widen() and num_candidates >= model.num_movies:
            raise IndexQualityError(
                recall, floor, "build with --set index.kind=flat, or lower index.recall_floor"
            )
        num_candidates = min(2 * num_candidates, model.num_movies)


def _recall(found: Rows, exhaustive: Rows) -> float:
    """Returns the part of the exhaustive lists that is found; short lists, int64 [num, k], end with -1."""
    listed = exhaustive >= 0
    held = (found[:, None, :] == exhaustive[:, :, None]).any(axis=2) & listed
    return float(held.sum() / listed.sum()) if listed.any() else 1.0
