"""Opens an artifact and answers who should see what, what is alike, and what someone would give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from engine.answers import TopList
from engine.arrays import Floats
from engine.artifact.ids import IdTable
from engine.artifact.layout import CATALOG_FILE, INDEX_FILE
from engine.artifact.reader import Artifact
from engine.catalogue.cards import MovieCards
from engine.catalogue.database import Catalog
from engine.errors import ArtifactCorruptError, ConfigError, DataError, UnknownIdError
from engine.lists.maker import ListMaker
from engine.model.heads import RatingPrediction
from engine.model.storage import load_model
from engine.opened import cold_movies, films_of, id_table
from engine.questions.options import ListArguments, ListOptions, check_k
from engine.search.candidates import CandidateSource
from indexes.base import VectorIndexError
from indexes.faiss_index import FaissIndex, set_threads

if TYPE_CHECKING:
    from engine.answers import LikelyReviewer, MoviePrediction, SimilarMovie, SimilarReviewer, TitleMatch
    from engine.catalogue.title_search import TitleSearch
    from engine.lists.columns import ColumnMaker, ListColumns
    from engine.questions.ratings import Ratings
    from engine.relations.predictions import Directions


class Engine:
    """Answers from one artifact; opening it reads almost nothing, and calls from threads are safe.

    Args:
        artifact: an opened one; `Engine.load` opens it by its directory.
    """

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._where = artifact.directory.name or str(artifact.directory)
        self._model = load_model(artifact)
        self._reviewers = id_table(artifact, "reviewer")
        self._movies = id_table(artifact, "movie")
        self._cards = MovieCards(artifact.array("movie_cards"), artifact.array("movie_card_offsets"))
        self._catalog = Catalog(artifact.file(CATALOG_FILE))
        try:
            self._index = FaissIndex.load(artifact.file(INDEX_FILE))
        except VectorIndexError as error:
            raise ArtifactCorruptError(
                f"The index file of {artifact.directory} cannot be read ({error}); build the index again"
            ) from error
        # One query is too little work to share among threads, and they would fight NumPy's.
        set_threads(1)
        num_candidates = int(artifact.manifest["search"]["num_candidates"])
        candidates = CandidateSource(self._model, self._index, num_candidates)
        self._films = films_of(artifact)
        self._cold = cold_movies(artifact, self._model.num_movies)
        self._lists = ListMaker(
            self._model, candidates, self._movies, self._cards, self._catalog, *self._films, self._cold
        )
        self._num_candidates = num_candidates

    @classmethod
    def load(cls, directory: Path | str) -> Engine:
        """Opens the live build of an index directory.

        Raises:
            ArtifactError: there is none, it is damaged, or it was written in another format version.
        """
        return cls(Artifact.open(directory))

    @property
    def num_reviewers(self) -> int:
        """How many reviewers the index knows."""
        return len(self._reviewers)

    @property
    def num_movies(self) -> int:
        """How many movies the index holds."""
        return len(self._movies)

    def info(self) -> dict[str, Any]:
        """What the index says of itself: the manifest, and where it lies."""
        return {"directory": str(self._artifact.directory), **self._artifact.manifest}

    def title(self, movie_id: str) -> str | None:
        """The title of a movie, where the catalogue has one.

        Raises:
            UnknownIdError: the index does not hold the movie.
        """
        title: str | None = self._cards.card(self._movie_row(movie_id))["title"]
        return title

    def recommend(
        self, reviewer_id: str, k: int = 10, *, fallback: str = "error", **options: Unpack[ListArguments]
    ) -> TopList:
        """A reviewer's top list, best first; see `recommend_many`."""
        return self.recommend_many([reviewer_id], k, fallback=fallback, **options)[0]

    def recommend_many(
        self,
        reviewer_ids: Sequence[str],
        k: int = 10,
        *,
        fallback: str = "error",
        **options: Unpack[ListArguments],
    ) -> list[TopList]:
        """The top lists of some reviewers.

        Args:
            reviewer_ids: who they are for.
            k: how long the lists are, at least 1; shorter only where no more movies match.
            fallback: for a reviewer whom the index does not hold: "error", or "popular", a list of what is
                most reviewed these days, which says so in its `fallback`.
            options: what the lists may hold, by the names that `ListOptions` has.

        Returns:
            A list for each reviewer, best first; equal scores stand in the order of the movies' ids.

        Raises:
            EngineError: `k` is less than 1, an option is wrong, or a reviewer is unknown without a fallback.
        """
        check_k(k)
        if fallback != "error":
            from engine.lists.popular import check_fallback

            check_fallback(fallback)
        wanted = ListOptions(**options)
        rows = [
            self._reviewer_row(reviewer_id) if fallback == "error" else self._reviewers.row(reviewer_id)
            for reviewer_id in reviewer_ids
        ]
        reviewers = [self._model.reviewer(row) for row in rows if row is not None]
        known = iter(self._lists.make(reviewers, k, wanted))
        if None not in rows:
            return list(known)
        from engine.lists.popular import popular_list

        popular = popular_list(self._lists, self._model, self._artifact, k, wanted)
        return [popular if row is None else next(known) for row in rows]

    def recommend_for(self, ratings: Ratings, k: int = 10, **options: Unpack[ListArguments]) -> TopList:
        """The top list of someone who was not trained on, from their ratings alone.

        Args:
            ratings: by movie id, oldest first; one between two levels of the data counts as the nearer, and
                movies that the index does not hold are skipped. Without ratings in the data, ids are enough.
            k: as of `recommend_many`.
            options: as of `recommend_many`.

        Raises:
            EngineError: no movie is known, a rating is missing or out of range, or as of `recommend_many`.
        """
        from engine.model.newcomers import newcomer
        from engine.questions.ratings import history_of

        check_k(k)
        history = history_of(ratings, self._movies, self._model.rating)
        return self._lists.make([newcomer(self._model, history)], k, ListOptions(**options))[0]

    def recommend_group(
        self,
        reviewer_ids: Sequence[str],
        k: int = 10,
        *,
        strategy: str = "average",
        **options: Unpack[ListArguments],
    ) -> TopList:
        """One top list for several reviewers, such as a household; what any has seen counts as seen.

        Args:
            reviewer_ids: the members; one who is named twice counts once.
            k: how long the list is.
            strategy: "average" of the members' scores, each on one scale, or "least-misery", the lowest.
            options: as of `recommend_many`.

        Returns:
            `GroupRecommendation`s, best first: they say what each member would make of the movie.

        Raises:
            EngineError: there is no member or no such strategy, or as of `recommend_many`.
        """
        check_k(k)
        members = list(dict.fromkeys(reviewer_ids))
        reviewers = [self._model.reviewer(self._reviewer_row(member)) for member in members]
        group, wanted = self._lists.group(reviewers, strategy), ListOptions(**options)
        rows = group.candidates(k, include_seen=wanted.include_seen)
        found = self._lists.make_for(group, rows, k, wanted)
        return group.with_members(found, members, self._movies.rows([item.movie_id for item in found]))

    def holds_movie(self, movie_id: str) -> bool:
        """Whether the index holds a movie."""
        return movie_id in self._movies

    def reviewer_ids(self, rows: Iterable[int]) -> list[str]:
        """The ids of the reviewers at some positions, which follow the order of the ids."""
        return self._reviewers.ids(rows)

    def movie_ids(self, rows: Iterable[int]) -> list[str]:
        """The ids of the movies at some positions, which follow the order of the ids."""
        return self._movies.ids(rows)

    def reviewer_rows(self, reviewer_ids: Sequence[str]) -> NDArray[np.int64]:
        """The positions of some reviewers: int64 [num].

        Raises:
            UnknownIdError: the index does not hold a reviewer.
        """
        return np.array([self._reviewer_row(reviewer_id) for reviewer_id in reviewer_ids], dtype=np.int64)

    def list_columns(
        self, reviewer_rows: NDArray[np.int64], k: int = 10, **options: Unpack[ListArguments]
    ) -> ListColumns:
        """The lists of `recommend_many` as columns, without cards: the way to make very many of them.

        Args:
            reviewer_rows: int64 [num_reviewers], their positions.
            k: how long the lists are, at least 1; shorter only where no more movies match.
            options: as of `recommend_many`.

        Raises:
            EngineError: as of `recommend_many`.
        """
        return self._columns.make(reviewer_rows, k, ListOptions(**options))

    @cached_property
    def _columns(self) -> ColumnMaker:
        from engine.lists.columns import ColumnMaker
        from engine.opened import batch_source

        source = batch_source(self._artifact, self._model, self._index, self._num_candidates)
        return ColumnMaker(source, self._lists, self._movies, *self._films)

    def similar(
        self,
        movie_id: str,
        k: int = 10,
        *,
        where: str | None = None,
        no_cold: bool = False,
        all_variants: bool = False,
    ) -> list[SimilarMovie]:
        """The movies most like a movie, most alike first.

        Args:
            movie_id: the movie, with reviews or without.
            k: how many are wanted, at least 1.
            where: an SQL condition over the catalogue's columns.
            no_cold: leave out movies without reviews, which are known by their metadata alone.
            all_variants: take every movie for itself: list variants of one film beside each other, and those
                of the movie.

        Raises:
            ConfigError: `k` is less than 1.
            FilterError: `where` is not a condition over the catalogue.
            UnknownIdError: the index does not hold the movie.
        """
        from engine.relations.similar_movies import similar_movies, similar_rows

        check_k(k)
        movie_row = self._movie_row(movie_id)
        matching = None if where is None else self._catalog.matching_rows(where)
        left_out = self._cold if no_cold else None
        variants = None if all_variants else self._films[0]
        rows, similarities = similar_rows(
            self._model, self._index, movie_row, k, matching, left_out, variants
        )
        return similar_movies(rows, similarities, self._movies, self._cards, self._cold)

    def predict(self, reviewer_ids: Sequence[str], movie_ids: Sequence[str]) -> RatingPrediction:
        """Predicts what n reviewers would give n movies, pair by pair.

        Returns:
            Mean and median, float32 [n], and the chance of each level, float32 [n, num_levels].

        Raises:
            ConfigError: there are not as many reviewers as movies.
            DataError: the index was built from data without ratings.
            UnknownIdError: the index does not hold a reviewer or a movie.
        """
        if len(reviewer_ids) != len(movie_ids):
            raise ConfigError(
                f"Ratings are predicted pair by pair, but there are {len(reviewer_ids)} reviewers and "
                f"{len(movie_ids)} movies; give as many of one as of the other"
            )
        reviewers = np.array(
            [self._reviewer_row(reviewer_id) for reviewer_id in reviewer_ids], dtype=np.int64
        )
        movies = np.array([self._movie_row(movie_id) for movie_id in movie_ids], dtype=np.int64)
        predicted = self._model.predict(reviewers, movies)
        if predicted is None:
            raise DataError(f"{self._where} was built from data without ratings, so it cannot predict any")
        return predicted

    def predictions(self, reviewer_id: str, movie_ids: Sequence[str]) -> list[MoviePrediction]:
        """What a reviewer would give some movies, with the chance of a like and the central interval.

        Raises:
            DataError: the index was built from data without ratings.
            UnknownIdError: the index does not hold the reviewer or a movie.
        """
        rows = [self._movie_row(movie_id) for movie_id in movie_ids]
        predicted = self._directions.predictions(self._reviewer_row(reviewer_id), rows)
        if predicted is None:
            raise DataError(f"{self._where} was built from data without ratings, so it cannot predict any")
        return predicted

    def similar_reviewers(self, reviewer_id: str, k: int = 10) -> list[SimilarReviewer]:
        """The reviewers whose taste is nearest to a reviewer's, nearest first.

        Raises:
            ConfigError: `k` is less than 1.
            UnknownIdError: the index does not hold the reviewer.
        """
        check_k(k)
        return self._directions.similar_reviewers(self._reviewer_row(reviewer_id), k)

    def reviewers_for(self, movie_id: str, k: int = 10, *, because: bool = True) -> list[LikelyReviewer]:
        """The reviewers to tell about a movie: those for whom it scores highest and who have not seen it.

        Args:
            movie_id: the movie.
            k: how many are wanted, at least 1; fewer only where fewer have not seen it.
            because: say of each which movies of their history add most to the score.

        Raises:
            ConfigError: `k` is less than 1.
            UnknownIdError: the index does not hold the movie.
        """
        check_k(k)
        return self._directions.reviewers_for(self._movie_row(movie_id), k, because=because)

    def find_movies(self, title: str, k: int = 10) -> list[TitleMatch]:
        """The movies that a piece of a title may mean, best first: exact, beginning, words, part, alike.

        Raises:
            ConfigError: `k` is less than 1, or the title holds no letter or digit.
        """
        check_k(k)
        return self._titles.matches(title, k)

    def find_movie(self, title: str) -> TitleMatch:
        """The one movie that a piece of a title means.

        Raises:
            ConfigError: the title holds no letter or digit.
            TitleError: it means no movie, or several, which the error holds.
        """
        return self._titles.resolve(title)

    def score_all(self, reviewer_id: str) -> Floats:
        """Scores every movie for a reviewer, in the order of the movies' ids: float32 [num_movies].

        Raises:
            UnknownIdError: the index does not hold the reviewer.
        """
        scores: Floats = self._model.score([self._reviewer_row(reviewer_id)])[0]
        return scores

    @cached_property
    def _directions(self) -> Directions:
        from engine.relations.predictions import Directions

        return Directions(self._model, self._reviewers, self._movies, self._cards, self._films[0])

    @cached_property
    def _titles(self) -> TitleSearch:
        from engine.catalogue.title_search import TitleSearch

        return TitleSearch(self._catalog, self._movies, self._cards, self._films[0])

    def _reviewer_row(self, reviewer_id: str) -> int:
        return self._row(self._reviewers, "reviewer", reviewer_id)

    def _movie_row(self, movie_id: str) -> int:
        return self._row(self._movies, "movie", movie_id)

    def _row(self, table: IdTable, kind: str, text: str) -> int:
        row = table.row(text)
        if row is None:
            where = f"{self._where} ({len(table):,} {kind}s)"
            raise UnknownIdError(kind, text, where, table.close_matches(text))
        return row
