"""Builds and writes the vector index, and measures how well the two-stage search finds the best movies.

The first stage of the search finds candidates in the vector index and among the neighbours of the movies in a
history. The second stage of the search scores the candidates exactly. An exhaustive list is a top list that
is made by scoring every movie.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.arrays import Rows
from engine.artifact.layout import (
    ADDRESS_FILE,
    AUDIT_SECTION,
    SEARCH_SECTION,
    STRONGEST_FILE,
    VECTOR_INDEX_FILE,
)
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
from indexes.milvus_index import MilvusIndex
from indexes.strongest import StrongestIndex, strongest_rows
from pipelines.export.collection import KIND, build_collection
from pipelines.work.output import plain_path

logger = logging.getLogger(__name__)

FIRST_CANDIDATES = 200
"""The audit first searches with this number of candidates, and doubles the number of candidates until the
recall of the search is high enough."""
_AUDIT_K = 10
"""The number of movies in each top list when the audit compares the two-stage search with scoring every
movie."""
_AUDIT_REVIEWERS = 500
"""The largest number of reviewers whose top lists the audit compares."""
_TUNING_REVIEWERS = 200
"""The largest number of reviewers whose top lists are used to tune the vector index. If the data has enough
reviewers, the recall of the search is later measured with reviewers who took no part in the tuning."""
_STRONGEST_PARTS = (48, 32, 24, 16, 12, 8, 6, 4)
"""The possible sizes of the vector index `Search.strongest`, which holds only movies that score high for many
reviewers. A number n in `_STRONGEST_PARTS` stands for a vector index of one n-th of all movies. The build
tries the numbers of `_STRONGEST_PARTS` from left to right, until a search with the vector index
`Search.strongest` has a high enough recall."""


class Search(NamedTuple):
    """Holds the vector indexes of the two-stage search, and the manifest's sections about the search."""

    vectors: VectorIndex
    """The vector index over the relevance vectors of all movies."""
    strongest: StrongestIndex | None
    """An exact vector index of the movies that score high for many reviewers, with which `recommend all`
    makes the lists of all reviewers; None if `vectors` makes the lists of all reviewers."""
    section: dict[str, Any]
    """The manifest's section `search`: the number of candidates, the kind of vector index, and the reason for
    choosing this kind."""
    audit: dict[str, Any]
    """The manifest's section `audit`, about the comparison of the two-stage search with scoring every movie.
    The section `audit` holds the recall of the two-stage search, the least recall allowed, the length of each
    compared top list, and the number of compared top lists."""


class _Judge:
    """Measures the recall of a search: the share of the movies in exhaustive lists that the search finds."""

    def __init__(self, model: Model, reviewer_rows: Rows) -> None:
        self._reviewer_rows = reviewer_rows
        self._exhaustive = exhaustive_lists(model, reviewer_rows, _AUDIT_K).movie_rows

    def recall(self, source: CandidateSource) -> float:
        return _recall(top_lists(source, self._reviewer_rows, _AUDIT_K).movie_rows, self._exhaustive)


def build_search(model: Model, config: Config, writer: ArtifactWriter, catalogue: Path) -> Search:
    """Builds the vector index, and raises the number of candidates until the search's recall is high enough.

    The recall is the share of the movies in exhaustive top lists that the two-stage search finds. The setting
    `index.recall_floor` is the least recall allowed.

    Args:
        model: the model whose movie vectors are indexed.
        config: the settings of the build.
        writer: the writer of the build; the name of a collection in a vector database contains the name of
            the build.
        catalogue: the path of the catalogue database of the model's movies.

    Raises:
        ConfigError: the movies are too few for the kind of vector index; or the vector database cannot be
            used.
        IndexQualityError: even with all movies as candidates, the recall is less than the setting
            `index.recall_floor`.
    """
    generator = np.random.default_rng(config.seed)
    sampled = generator.permutation(len(model.histories))[: _AUDIT_REVIEWERS + _TUNING_REVIEWERS]
    reviewer_rows = sampled[:_AUDIT_REVIEWERS]
    vectors: VectorIndex
    try:
        if config.index.kind == KIND:
            vectors, report = build_collection(model, config.index, writer, catalogue)
        else:
            vectors, report = _build_vector_index(model, sampled[-_TUNING_REVIEWERS:], config)
    except VectorIndexError as error:
        raise ConfigError(f"Cannot build the index: {error}") from error
    num_candidates, recall = _widen(model, vectors, _Judge(model, reviewer_rows), config.index.recall_floor)
    logger.info("%s candidates a source find %.4f of the exhaustive top lists", num_candidates, recall)
    section = {"num_candidates": num_candidates, **report, **vectors.settings()}
    strongest = None
    # Lists of all reviewers are made without the vector database, so that each process uses local vectors.
    if not vectors.is_exact or isinstance(vectors, MilvusIndex):
        strongest, found = _find_strongest(model, sampled, num_candidates, config)
        if strongest is not None:
            section["strongest"] = {"num_vectors": strongest.num_vectors, "recall": found}
    measured = {"k": _AUDIT_K, "reviewers": len(reviewer_rows)}
    audit = {"recall": recall, "floor": config.index.recall_floor, **measured}
    return Search(vectors, strongest, section, audit)


def write_search(search: Search, writer: ArtifactWriter) -> None:
    """Writes the vector indexes of a search, and adds the sections `search` and `audit` to the manifest.

    Raises:
        ArtifactError: a vector index cannot be written.
    """
    try:
        name = ADDRESS_FILE if isinstance(search.vectors, MilvusIndex) else VECTOR_INDEX_FILE
        with plain_path(writer.path_for(name)) as path:
            search.vectors.save(path)
        if search.strongest is not None:
            search.strongest.save(writer.path_for(STRONGEST_FILE))
    except VectorIndexError as error:
        raise ArtifactError(f"Cannot write the index to {writer.directory}: {error}") from error
    writer.add_section(SEARCH_SECTION, search.section)
    writer.add_section(AUDIT_SECTION, search.audit)


def _build_vector_index(
    model: Model, reviewer_rows: Rows, config: Config
) -> tuple[VectorIndex, dict[str, Any]]:
    """Builds the vector index, and tunes the index by the recall of searches for the given reviewers."""
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
    """Chooses the smallest set of movies that is enough to make good top lists of all reviewers.

    The function tries larger and larger sets of movies, up to a quarter of all movies. Every tried set of
    movies holds the movies that are most likely to score high for many reviewers. For each set of movies, the
    function measures the recall of the two-stage search with a vector index of only the movies in the set.
    The function chooses the first set of movies with a recall of at least `_tuning_target(config)`.

    Returns:
        An exact vector index of the chosen movies, and the recall of the two-stage search with the vector
        index. If the recall is too low even with a quarter of all movies, the function returns None, and the
        recall with a quarter of all movies.
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
    """Returns the recall at which tuning stops, a quarter of the way from `index.recall_floor` to 1."""
    return config.index.recall_floor + (1 - config.index.recall_floor) / 4


def _widen(model: Model, vectors: VectorIndex, judge: _Judge, floor: float) -> tuple[int, float]:
    """Raises the number of candidates of the two-stage search until its recall is at least `floor`.

    Returns the number of candidates, and the recall of the two-stage search with this number of candidates.
    """
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
    """Returns the share of the movies in exhaustive top lists that also occur in the lists `found`.

    The arrays `found` and `exhaustive` hold the movie rows of lists, int64 [num_reviewers, k]; a list of
    fewer than k movies is padded with -1.
    """
    listed = exhaustive >= 0
    held = (found[:, None, :] == exhaustive[:, :, None]).any(axis=2) & listed
    return float(held.sum() / listed.sum()) if listed.any() else 1.0
