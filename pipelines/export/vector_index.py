"""Builds and writes the vector index, and audits how well the two-stage search finds the best movies.

The first stage of the search finds candidates in the vector index and among neighbours of the history. The
second stage scores the candidates exactly. An exhaustive list is made by scoring every movie.
"""

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
"""Number of candidates with which the audit starts; the audit doubles the number until the recall
suffices."""
_AUDIT_K = 10
"""Length of the top lists in which the audit compares the two-stage search with scoring every movie."""
_AUDIT_REVIEWERS = 500
"""Number of reviewers whose top lists the audit compares."""
_TUNING_REVIEWERS = 200
"""Number of reviewers on whom the vector index is tuned; the audit uses others where there are enough."""
_STRONGEST_PARTS = (48, 32, 24, 16, 12, 8, 6, 4)
"""Divisors of the number of movies: the index that makes lists for all reviewers at once holds the first
quotient of movies, smallest first, that gives enough recall."""


class Search(NamedTuple):
    """Holds the vector indexes of the search's first stage, and the manifest's sections on the search."""

    vectors: VectorIndex
    """The vector index over the relevance vectors of all movies."""
    strongest: StrongestIndex | None
    """The vectors of the movies that score high for many reviewers, among which the lists of all reviewers
    are searched at once; None if these lists are searched in `vectors` instead."""
    section: dict[str, Any]
    """The manifest's section `search`: the number of candidates, the kind of vector index, and the reason for
    the kind."""
    audit: dict[str, Any]
    """The manifest's section `audit`: the recall of the two-stage search against scoring every movie, the
    least recall allowed, the length of the compared lists, and the number of reviewers."""


class _Judge:
    """Holds some reviewers' exhaustive top lists, and measures the share of the lists that a search finds."""

    def __init__(self, model: Model, reviewer_rows: Rows) -> None:
        self._reviewer_rows = reviewer_rows
        self._exhaustive = exhaustive_lists(model, reviewer_rows, _AUDIT_K).movie_rows

    def recall(self, source: CandidateSource) -> float:
        return _recall(top_lists(source, self._reviewer_rows, _AUDIT_K).movie_rows, self._exhaustive)


def build_search(model: Model, config: Config) -> Search:
    """Builds the vector index, and raises the number of candidates until the recall suffices.

    The recall is the share of the exhaustive top lists that the two-stage search finds. A recall of at least
    `index.recall_floor` suffices.

    Raises:
        ConfigError: there are too few movies for the kind of index.
        IndexQualityError: the recall stays below `index.recall_floor` even with all movies as candidates.
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
    """Writes the vector index, and adds the sections `search` and `audit` to the manifest.

    If the search has a smaller index for the lists of all reviewers at once, that index is written too.

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
    """Builds the vector index, tuned by the recall of the whole two-stage search on some reviewers."""
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
    """Finds the smallest set of movies that suffices to make the lists of all reviewers at once.

    Returns an exact index of the movies' vectors, or None if more than a quarter of all movies were needed,
    and the recall of the last set tried.
    """
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
    """Returns the recall at which tuning stops: a quarter of the way from `index.recall_floor` to 1."""
    return config.index.recall_floor + (1 - config.index.recall_floor) / 4


def _widen(model: Model, vectors: VectorIndex, judge: _Judge, floor: float) -> tuple[int, float]:
    """Raises the number of candidates until the recall reaches `floor`; returns the number and the recall."""
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
    """Returns the share of the movies in exhaustive lists that the lists `found` hold too.

    The arguments are movie rows, int64 [num_reviewers, k]; a list that is shorter than k ends with -1.
    """
    listed = exhaustive >= 0
    held = (found[:, None, :] == exhaustive[:, :, None]).any(axis=2) & listed
    return float(held.sum() / listed.sum()) if listed.any() else 1.0
