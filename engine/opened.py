"""Opens the parts of an index by name, each when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, Rows
from engine.artifact.ids import IdTable
from engine.artifact.layout import (
    ARRAY_ENDING,
    CARD_ARRAYS,
    CATALOGUE_FILE,
    COLD_MOVIES,
    ID_ARRAYS,
    MOVIE_COUNTS,
    POPULARITY,
    SEARCH_SECTION,
    STRONGEST_FILE,
    VARIANT_ARRAYS,
    VECTOR_INDEX_FILE,
)
from engine.artifact.reader import Artifact
from engine.catalogue.cards import MovieCards
from engine.catalogue.variants import Variants
from engine.errors import ArtifactCorruptError, UnknownIdError
from engine.model.scorer import Model
from engine.search.candidates import CandidateSource
from indexes.base import VectorIndex, VectorIndexError
from indexes.faiss_index import FaissIndex, set_threads

if TYPE_CHECKING:
    from engine.catalogue.database import Catalogue
    from engine.catalogue.title_search import TitleSearch

ArrayOfName = Callable[[str], NDArray[Any]]
"""Gives an array of an index by its name, as `Artifact.array` does."""


def open_ids(array: ArrayOfName, kind: str) -> IdTable:
    """Opens the ids of the reviewers or of the movies; `kind` is "reviewer" or "movie"."""
    return IdTable(*map(array, ID_ARRAYS[kind]))


def open_cards(array: ArrayOfName) -> MovieCards:
    """Opens the cards of the movies."""
    return MovieCards(*map(array, CARD_ARRAYS))


class OpenedIndex:
    """Holds the parts of an index; a part opens when it is first asked for, and then stays open.

    Asking for a part raises an ArtifactError where a file of the part is missing or damaged.

    Attributes:
        artifact: the build whose files are opened.
        name: the name of the index directory, for errors.
    """

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.name = artifact.directory.name or str(artifact.directory)

    @cached_property
    def reviewers(self) -> IdTable:
        """Returns the ids of the reviewers."""
        return open_ids(self.artifact.array, "reviewer")

    @cached_property
    def movies(self) -> IdTable:
        """Returns the ids of the movies."""
        return open_ids(self.artifact.array, "movie")

    def reviewer_row(self, reviewer_id: str) -> int:
        """Returns the row of a reviewer, or raises UnknownIdError."""
        return self._row(self.reviewers, "reviewer", reviewer_id)

    def movie_row(self, movie_id: str) -> int:
        """Returns the row of a movie, or raises UnknownIdError."""
        return self._row(self.movies, "movie", movie_id)

    def _row(self, table: IdTable, kind: str, text: str) -> int:
        row = table.row(text)
        if row is None:
            where = f"{self.name} ({len(table):,} {kind}s)"
            raise UnknownIdError(kind, text, where, table.close_matches(text))
        return row

    @cached_property
    def cards(self) -> MovieCards:
        """Returns what is shown of the movies."""
        return open_cards(self.artifact.array)

    @cached_property
    def catalogue(self) -> Catalogue:
        """Returns the catalogue; its database opens with the first condition or title."""
        from engine.catalogue.database import Catalogue

        return Catalogue(self.artifact.file(CATALOGUE_FILE))

    @cached_property
    def titles(self) -> TitleSearch:
        """Returns the search for movies by a piece of their title."""
        from engine.catalogue.title_search import TitleSearch

        return TitleSearch(self.catalogue, self.movies, self.cards, self.variants)

    def matching_rows(self, condition: str) -> Rows:
        """Finds the movies that meet a condition in SQL; see `Catalogue.matching_rows`."""
        return self.catalogue.matching_rows(condition)

    @cached_property
    def model(self) -> Model:
        """Returns the model, over arrays that are mapped from disk."""
        return Model.open(self.artifact)

    @cached_property
    def vector_index(self) -> VectorIndex:
        """Returns the index over the movie vectors, set to answer each query in one thread."""
        # One query is too little work to share among threads, which would compete with NumPy's.
        set_threads(1)
        try:
            return FaissIndex.load(self.artifact.file(VECTOR_INDEX_FILE))
        except VectorIndexError as error:
            raise ArtifactCorruptError(
                f"The index file of {self.artifact.directory} cannot be read ({error}); build the index again"
            ) from error

    @cached_property
    def candidates(self) -> CandidateSource:
        """Returns what finds the candidates of one reviewer or of a few."""
        return CandidateSource(self.model, self.vector_index, self._num_candidates)

    @cached_property
    def batch_candidates(self) -> CandidateSource:
        """Returns what finds the candidates of very many reviewers fastest."""
        from engine.search.batch_candidates import BatchSource
        from indexes.strongest import StrongestIndex

        if self.artifact.has(STRONGEST_FILE):
            try:
                strongest = StrongestIndex.load(self.artifact.file(STRONGEST_FILE))
            except VectorIndexError as error:
                raise ArtifactCorruptError(
                    f"The strongest vectors of {self.artifact.directory} cannot be read ({error}); "
                    "run engine reindex, or build the index again"
                ) from error
        elif self.vector_index.is_exact:
            strongest = StrongestIndex(self.model.relevance.movie_vectors)
        else:
            return self.candidates
        return BatchSource(self.model, strongest, self._num_candidates)

    @property
    def _num_candidates(self) -> int:
        return int(self.artifact.manifest[SEARCH_SECTION]["num_candidates"])

    @cached_property
    def variants(self) -> Variants:
        """Returns which movies are one film; builds of the first releases know of none."""
        if not all(self.artifact.has(name + ARRAY_ENDING) for name in VARIANT_ARRAYS):
            return Variants.none()
        return Variants(*map(self.artifact.array, VARIANT_ARRAYS))

    @cached_property
    def movie_counts(self) -> NDArray[np.integer]:
        """Returns how many reviews each movie has, int [num_movies]; builds without counts are counted."""
        if self.artifact.has(MOVIE_COUNTS + ARRAY_ENDING):
            return self.artifact.array(MOVIE_COUNTS)
        return np.bincount(self.model.histories.movie_rows, minlength=self.model.num_movies)

    @cached_property
    def cold_movies(self) -> NDArray[np.bool_]:
        """Returns which movies are cold, bool [num_movies]; none are in builds that do not say."""
        if self.artifact.has(COLD_MOVIES + ARRAY_ENDING):
            return self.artifact.array(COLD_MOVIES)
        return np.zeros(len(self.movies), dtype=bool)

    @cached_property
    def popularity(self) -> Floats:
        """Returns how popular each movie is, float32 [num_movies]; the counts in builds that do not say."""
        if self.artifact.has(POPULARITY + ARRAY_ENDING):
            return self.artifact.array(POPULARITY)
        return self.movie_counts.astype(np.float32)
