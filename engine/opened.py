"""Opens each component of an index (such as ids, catalogue or model) when the component is first used."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, Rows
from engine.artifact import layout
from engine.artifact.ids import IdTable
from engine.artifact.reader import Artifact
from engine.catalogue.cards import MovieCards
from engine.catalogue.variants import Variants
from engine.errors import ArtifactCorruptError, ConfigError, UnknownIdError
from engine.lists.maker import ListMaker
from engine.model.heads import RatingHead
from engine.model.scorer import Model
from engine.model.values import Reviewer
from engine.questions.arguments import as_id
from engine.search.candidates import CandidateSource
from indexes.base import VectorIndex, VectorIndexError
from indexes.faiss_index import FaissIndex, set_threads

if TYPE_CHECKING:
    from engine.catalogue.database import Catalogue
    from engine.catalogue.title_search import TitleSearch
    from engine.config.sections import Config
    from engine.feedback.events import Scale
    from engine.feedback.fresh import Feedback
    from engine.feedback.journal import Journal
    from engine.lists.columns import ColumnMaker
    from engine.model.similar import SimilarTable
    from engine.search.filtered import FilteredSource

ArrayOfName = Callable[[str], NDArray[Any]]
"""A function such as `Artifact.array`, which takes the name of an array in an index and returns the array."""


def open_ids(array: ArrayOfName, kind: str) -> IdTable:
    """Opens the table of all reviewer ids (`kind` "reviewer") or of all movie ids (`kind` "movie")."""
    return IdTable(*map(array, layout.ID_ARRAYS[kind]))


def open_cards(array: ArrayOfName) -> MovieCards:
    """Opens the cards of the movies; a card holds the fields that answers show, such as title and year."""
    return MovieCards(*map(array, layout.CARD_ARRAYS))


def settings_of(artifact: Artifact) -> Config:
    """Returns the settings with which an index was built, or the defaults if the index holds no settings.

    Raises:
        ArtifactCorruptError: a setting in the manifest is unknown or out of range.
    """
    from engine.config.sections import Config

    try:
        return Config.from_dict(artifact.manifest.get(layout.CONFIG_SECTION, {}))
    except ConfigError as error:
        raise ArtifactCorruptError(
            f"The settings in the manifest of {artifact.directory} cannot be used ({error}); restore the "
            "index from a copy or build it again"
        ) from error


def _make_scale(artifact: Artifact, rating: RatingHead | None) -> Scale:
    """Returns the rating scale of a build, which converts feedback such as clicks to ratings."""
    from engine.feedback.events import Scale

    settings = settings_of(artifact)
    return Scale(
        levels=np.zeros(0, dtype=np.float32) if rating is None else rating.levels,
        like_count=settings.rating.like_rating if settings.ingest.ratings == "counts" else None,
        places=vars(settings.feedback),
    )


def _open_catalogue(artifact: Artifact) -> Catalogue:
    """Returns the catalogue of a build; the catalogue's database is opened only when a query needs it."""
    from engine.catalogue.database import Catalogue

    return Catalogue(artifact)


class OpenedIndex:
    """Holds the components of an index, such as the model; a component is opened at its first use.

    Reading a property that opens a component raises ArtifactError if a file of the component is missing or
    damaged.

    Attributes:
        artifact: the opened files of one build of the index.
        name: the name of the index directory, used in error messages.
        journal: the journal whose feedback changes the answers; None if no journal is followed.
    """

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.name = artifact.directory.name or str(artifact.directory)
        self.journal: Journal | None = None
        # The function must not be a method of this object: as explained in `_list_maker`, a circle of objects
        # would keep files open.
        self._open_catalogue = cache(partial(_open_catalogue, artifact))

    def verify(self) -> None:
        """Reads the whole index; checks the checksum of every file, all arrays, and the catalogue database.

        The catalogue database must hold only the table of movies, with one row for each movie.

        Raises:
            ArtifactCorruptError: a file was changed after the build; an array holds impossible numbers; or
                the catalogue database holds something other than the table of movies.
        """
        self.artifact.verify()
        if self.artifact.has(layout.CATALOGUE_FILE):
            self.catalogue.check()

    @cached_property
    def reviewers(self) -> IdTable:
        """Returns the table that maps reviewer ids to rows, and rows to reviewer ids."""
        return open_ids(self.artifact.array, "reviewer")

    @cached_property
    def movies(self) -> IdTable:
        """Returns the table that maps movie ids to rows, and rows to movie ids."""
        return open_ids(self.artifact.array, "movie")

    def reviewer_row(self, reviewer_id: str) -> int:
        """Returns the row of a reviewer id; raises UnknownIdError if the index does not hold the id."""
        return self._row(self.reviewers, "reviewer", reviewer_id)

    def movie_row(self, movie_id: str) -> int:
        """Returns the row of a movie id; raises UnknownIdError if the index does not hold the id."""
        return self._row(self.movies, "movie", movie_id)

    def _row(self, table: IdTable, kind: str, text: str) -> int:
        text = as_id(text, kind)
        row = table.row(text)
        if row is None:
            where = f"{self.name} ({len(table):,} {kind}s)"
            raise UnknownIdError(kind, text, where, table.close_matches(text))
        return row

    @cached_property
    def feedback(self) -> Feedback:
        """Returns the hidden movies and the fresh feedback: the feedback that is newer than the build."""
        from engine.feedback.fresh import Feedback
        from engine.feedback.hidden import HiddenMovies

        hidden, histories = HiddenMovies.of_build(self.artifact), self.model.histories
        # The function must not be a method of this object: as explained in `_list_maker`, a circle of objects
        # would keep files open.
        make_scale = partial(_make_scale, self.artifact, self.model.rating)
        return Feedback(hidden, self.reviewers, self.movies, histories, self.history_times, make_scale)

    @property
    def _used_feedback(self) -> Feedback | None:
        """Returns the attribute `feedback`; None if the index has no hidden movies and follows no journal."""
        return None if self.journal is None and not self.artifact.has(layout.HIDDEN_FILE) else self.feedback

    def follow(self, journal: Journal) -> None:
        """Makes all later answers use those events of a journal that the build does not contain yet.

        Events that are appended to the journal after the call of `follow` are read by the method
        `feedback.catch_up`.

        Raises:
            ArtifactError: the journal cannot be read.
        """
        from engine.feedback.journal import Tail, of_section

        self.journal = journal
        for made_without_feedback in ("lists", "columns"):
            vars(self).pop(made_without_feedback, None)
        taken_in = of_section(self.artifact.manifest.get(layout.JOURNAL_SECTION))
        self.feedback.follow(Tail(journal, taken_in))

    def knows_reviewer(self, reviewer_id: str) -> bool:
        """Tells whether the build or the fresh feedback holds a review by a reviewer."""
        return self.reviewers.row(reviewer_id) is not None or self.feedback.knows(reviewer_id)

    def reviewer(self, reviewer_id: str) -> Reviewer:
        """Returns what is needed to score movies for a reviewer, with the reviewer's fresh feedback.

        Raises:
            UnknownIdError: neither the build nor the fresh feedback holds a review by the reviewer.
        """
        reviewer_id = as_id(reviewer_id, "reviewer")
        row, feedback = self.reviewers.row(reviewer_id), self._used_feedback
        fresh = None if feedback is None else feedback.history(reviewer_id)
        if row is None and fresh is None:
            row = self.reviewer_row(reviewer_id)  # This call raises an UnknownIdError that names similar ids.
        if row is None and fresh is not None:
            from engine.model.newcomers import newcomer

            reviewer = newcomer(self.model, fresh.history)
        else:
            reviewer = self.model.reviewer(row, None if fresh is None else fresh.history)
        if feedback is not None and len(hidden := feedback.hidden_for(reviewer_id)):
            return reviewer._replace(hidden_rows=hidden)
        return reviewer

    @cached_property
    def cards(self) -> MovieCards:
        """Returns the cards of the movies: the fields that answers show, such as title, price and year."""
        return open_cards(self.artifact.array)

    @cached_property
    def catalogue(self) -> Catalogue:
        """Returns the catalogue, which finds movies by SQL condition and by title."""
        return self._open_catalogue()

    @cached_property
    def titles(self) -> TitleSearch:
        """Returns the object that searches for movies by a piece of their title."""
        from engine.catalogue.title_search import TitleSearch

        return TitleSearch(self.catalogue, self.movies, self.cards, self.variants)

    def matching_rows(self, condition: str) -> Rows:
        """Returns the rows of the movies that meet an SQL condition, int64 [num_matching], ascending."""
        return self.catalogue.matching_rows(condition)

    @cached_property
    def model(self) -> Model:
        """Returns the model that scores movies; the arrays of the model are memory-mapped files."""
        return Model.open(self.artifact)

    @cached_property
    def vector_index(self) -> VectorIndex:
        """Returns the vector index of the movies; limits FAISS, which searches the vectors, to one thread."""
        name = layout.ADDRESS_FILE if self.artifact.has(layout.ADDRESS_FILE) else layout.VECTOR_INDEX_FILE
        path, vectors = self.artifact.handle(name), self.model.relevance.movie_vectors
        # One query is too little work for several threads, which would also compete with NumPy's threads.
        set_threads(1)
        try:
            index: VectorIndex
            if name == layout.ADDRESS_FILE:
                from indexes.milvus_index import MilvusIndex

                index = MilvusIndex.load(path, self.artifact.home / self.artifact.build_directory.name)
            else:
                index = FaissIndex.load(path)
            if (index.num_vectors, index.dim) != vectors.shape:
                raise VectorIndexError("it does not hold the vectors of the movies")
        except VectorIndexError as error:
            reason = str(error).replace(str(path), name)
            raise ArtifactCorruptError(
                f"The vector index of {self.artifact.directory} cannot be read ({reason}); restore the index "
                "from a copy, or build it again with engine reindex"
            ) from error
        return index

    @cached_property
    def similar_table(self) -> SimilarTable | None:
        """Returns the table of similar movies, or None for an older index without the table."""
        from engine.model.similar import SimilarTable

        return SimilarTable.open(self.artifact)

    @cached_property
    def usual_categories(self) -> frozenset[str]:
        """Returns the categories that nearly all movies have; such a category is no reason for similarity."""
        from engine.catalogue.series import usual_categories

        return usual_categories(self.cards)

    @cached_property
    def candidates(self) -> CandidateSource:
        """Returns the object that finds candidates (movies worth scoring) for one or a few reviewers."""
        return CandidateSource(self.model, self.vector_index, self._num_candidates)

    @cached_property
    def batch_candidates(self) -> CandidateSource:
        """Returns the object that finds candidates fast for very many reviewers in one call.

        If the build stores no vectors for an exact search, the property returns the object `candidates`,
        which is slower for many reviewers.
        """
        from engine.search.batch_candidates import BatchSource
        from indexes.strongest import StrongestIndex

        vectors = self.model.relevance.movie_vectors
        try:
            if self.artifact.has(layout.STRONGEST_FILE):
                strongest = StrongestIndex.of(
                    self.artifact.array(layout.STRONGEST_FILE.removesuffix(layout.ARRAY_ENDING))
                )
                if strongest.rows[-1] >= len(self.movies) or strongest.dim != vectors.shape[1]:
                    raise VectorIndexError("they are not those of the movies")
            elif self.artifact.has(layout.ADDRESS_FILE) or self.vector_index.is_exact:
                strongest = StrongestIndex(vectors)
            else:
                return self.candidates
        except VectorIndexError as error:
            raise ArtifactCorruptError(
                f"The vectors of {self.artifact.directory} cannot be searched ({error}); run engine reindex, "
                "or build the index again"
            ) from error
        return BatchSource(self.model, strongest, self._num_candidates)

    @cached_property
    def lists(self) -> ListMaker:
        """Returns the object that makes top lists of movies for one or a few reviewers."""
        filtered = None
        if self.vector_index.columns:
            from engine.search.filtered import FilteredSource

            filtered = FilteredSource(
                self.model, self.vector_index, self._num_candidates, self.catalogue, self.variants
            )
        return self._list_maker(self.candidates, filtered)

    def _list_maker(self, candidates: CandidateSource, filtered: FilteredSource | None = None) -> ListMaker:
        # Nothing in this method may refer to `self`: a circle of objects would keep the files of a build open
        # until Python's garbage collector finds the circle.
        feedback, open_catalogue = self._used_feedback, self._open_catalogue
        nothing = np.zeros(0, dtype=np.int64)
        return ListMaker(
            self.model,
            candidates,
            self.movies,
            self.cards,
            lambda condition: open_catalogue().matching_rows(condition),
            self.variants,
            self.movie_counts,
            self.cold_movies,
            lambda: nothing if feedback is None else feedback.hidden_rows,
            filtered,
        )

    @cached_property
    def columns(self) -> ColumnMaker:
        """Returns the object that makes the top lists of very many reviewers as arrays, without titles."""
        from engine.lists.columns import ColumnMaker
        from indexes.strongest import StrongestIndex

        source, lists = self.batch_candidates, self.lists
        if self.artifact.has(layout.ADDRESS_FILE):
            # Lists of all reviewers do not ask the vector database, because several processes at once would
            # only wait for the database.
            vectors = StrongestIndex(self.model.relevance.movie_vectors)
            lists = self._list_maker(CandidateSource(self.model, vectors, self._num_candidates))
        return ColumnMaker(source, lists, self.feedback.hidden_by_row())

    @property
    def _num_candidates(self) -> int:
        return int(self.artifact.section(layout.SEARCH_SECTION)["num_candidates"])

    @cached_property
    def variants(self) -> Variants:
        """Returns the groups of movies that are variants of one film; no groups if the build stores none."""
        if not all(self.artifact.has(name + layout.ARRAY_ENDING) for name in layout.VARIANT_ARRAYS):
            return Variants.none()
        return Variants(*map(self.artifact.array, layout.VARIANT_ARRAYS))

    @cached_property
    def movie_counts(self) -> NDArray[np.integer]:
        """Returns the number of each movie's reviews, int [num_movies], read from the index or counted."""
        if self.artifact.has(layout.MOVIE_COUNTS + layout.ARRAY_ENDING):
            return self.artifact.array(layout.MOVIE_COUNTS)
        return self.model.histories.movie_counts(self.model.num_movies)

    @cached_property
    def cold_movies(self) -> NDArray[np.bool_]:
        """Marks the cold movies, which have no reviews: bool [num_movies], all False in an older index."""
        if self.artifact.has(layout.COLD_MOVIES + layout.ARRAY_ENDING):
            return self.artifact.array(layout.COLD_MOVIES)
        return np.zeros(len(self.movies), dtype=bool)

    @cached_property
    def history_times(self) -> NDArray[np.integer]:
        """Returns the unix time of each review in the histories, int [num_reviews]; 0 for an unknown time."""
        if self.artifact.has(layout.HISTORY_TIMES + layout.ARRAY_ENDING):
            return self.artifact.array(layout.HISTORY_TIMES)
        return np.zeros(len(self.model.histories.movie_rows), dtype=np.int64)

    @cached_property
    def popularity(self) -> Floats:
        """Returns the popularity of each movie, float32 [num_movies].

        If the build stores no popularity, the popularity of a movie is the number of the movie's reviews.
        """
        if self.artifact.has(layout.POPULARITY + layout.ARRAY_ENDING):
            return self.artifact.array(layout.POPULARITY)
        return self.movie_counts.astype(np.float32)
