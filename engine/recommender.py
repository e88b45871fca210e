"""Answers questions from an index: who should see what, what is alike, and what someone would give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from engine.answers import TopList
from engine.arrays import Floats, Rows
from engine.artifact.reader import Artifact
from engine.lists.maker import ListMaker
from engine.model.heads import RatingPrediction
from engine.opened import OpenedIndex
from engine.questions.ids import ids_of, rows_of_known
from engine.questions.options import ListArguments, ListOptions, check_fallback, check_k

if TYPE_CHECKING:
    from engine.answers import LikelyReviewer, MoviePrediction, SimilarMovie, SimilarReviewer, TitleMatch
    from engine.lists.columns import ColumnMaker, ListColumns
    from engine.questions.ratings import Ratings


class Engine:
    """Answers questions from one index; many threads may ask at once.

    Opening reads almost nothing, whatever the size. A build that becomes live later is not picked up.

    Args:
        artifact: the opened build; `Engine.load` opens one by the index directory.

    Example:
        engine = Engine.load("movie-index")
        for movie in engine.recommend("A1CW3NLH9MBQRY", k=10, where="price < 10"):
            print(movie.rank, movie.title, movie.predicted_rating)
    """

    def __init__(self, artifact: Artifact) -> None:
        self._index = index = OpenedIndex(artifact)
        self._reviewers, self._movies = index.reviewers, index.movies
        self._lists = ListMaker(
            index.model,
            index.candidates,
            index.movies,
            index.cards,
            index.matching_rows,
            index.variants,
            index.movie_counts,
            index.cold_movies,
        )

    @classmethod
    def load(cls, directory: Path | str) -> Engine:
        """Opens the live build of an index directory.

        Raises:
            ArtifactError: there is no index, it is damaged, or it was written in another format version.
        """
        return cls(Artifact.open(directory))

    @property
    def num_reviewers(self) -> int:
        """Returns how many reviewers the index holds."""
        return len(self._reviewers)

    @property
    def num_movies(self) -> int:
        """Returns how many movies the index holds."""
        return len(self._movies)

    def info(self) -> dict[str, Any]:
        """Returns what the index says of itself: its directory, and the entries of its manifest."""
        return {"directory": str(self._index.artifact.directory), **self._index.artifact.manifest}

    def title(self, movie_id: str) -> str | None:
        """Returns the title of a movie, or None where the catalogue has none.

        Raises:
            UnknownIdError: the index does not hold the movie.
        """
        title: str | None = self._index.cards.card(self._index.movie_row(movie_id))["title"]
        return title

    def recommend(
        self, reviewer_id: str, k: int = 10, *, fallback: str = "error", **options: Unpack[ListArguments]
    ) -> TopList:
        """Makes a reviewer's top list, best first; `recommend_many` describes the arguments."""
        return self.recommend_many([reviewer_id], k, fallback=fallback, **options)[0]

    def recommend_many(
        self,
        reviewer_ids: Sequence[str],
        k: int = 10,
        *,
        fallback: str = "error",
        **options: Unpack[ListArguments],
    ) -> list[TopList]:
        """Makes the top lists of some reviewers.

        Args:
            reviewer_ids: the reviewers.
            k: how long the lists are, at least 1; a list is shorter only where no more movies match.
            fallback: what to do about an unknown reviewer: "error" raises an UnknownIdError, "popular" lists
                the movies that are liked most these days; the list's `fallback` is then "popular".
            options: what the lists may hold, such as `where="price < 10"`; `ListOptions` describes them.

        Returns:
            A list for each reviewer, best first; equal scores stand in the order of the movies' ids.

        Raises:
            EngineError: `k`, `fallback` or an option is wrong, or a reviewer is unknown without a fallback.
        """
        check_k(k)
        check_fallback(fallback)
        wanted = ListOptions(**options)
        index = self._index
        find_row = index.reviewer_row if fallback == "error" else index.reviewers.row
        rows = [find_row(reviewer_id) for reviewer_id in reviewer_ids]
        reviewers = [index.model.reviewer(row) for row in rows if row is not None]
        known = iter(self._lists.make(reviewers, k, wanted))
        if None not in rows:
            return list(known)
        from engine.lists.popular import popular_list

        popular = popular_list(self._lists, index.popularity, k, wanted)
        return [popular if row is None else next(known) for row in rows]

    def recommend_for(self, ratings: Ratings, k: int = 10, **options: Unpack[ListArguments]) -> TopList:
        """Makes the top list of a newcomer from their ratings alone.

        Args:
            ratings: by movie id, oldest first, such as `{"B00005JNOG": 5}`. A rating between two levels of
                the data counts as the nearer level. Movies that the index does not hold are skipped with a
                warning. Where the data has no ratings, ids are enough.
            k: as in `recommend_many`.
            options: as in `recommend_many`.

        Raises:
            DataError: no movie is given, or a rating is missing or out of range.
            EngineError: the index holds none of the movies, or `k` or an option is wrong.
        """
        from engine.model.newcomers import newcomer
        from engine.questions.ratings import history_of

        check_k(k)
        model = self._index.model
        history = history_of(ratings, self._movies, model.rating)
        return self._lists.make([newcomer(model, history)], k, ListOptions(**options))[0]

    def recommend_group(
        self,
        reviewer_ids: Sequence[str],
        k: int = 10,
        *,
        strategy: str = "average",
        **options: Unpack[ListArguments],
    ) -> TopList:
        """Makes one top list for several reviewers, such as a household; what any has seen counts as seen.

        Args:
            reviewer_ids: the members; a repeated id counts once.
            k: as in `recommend_many`.
            strategy: "average" orders by the mean of the members' scores, each on one scale, and
                "least-misery" by the lowest of them.
            options: as in `recommend_many`.

        Returns:
            `GroupRecommendation`s, best first, whose `members` say what each member would make of the movie.

        Raises:
            EngineError: there is no member, a member is unknown, or `k`, `strategy` or an option is wrong.
        """
        from engine.lists.groups import group_list

        check_k(k)
        index = self._index
        members = {one: index.model.reviewer(index.reviewer_row(one)) for one in reviewer_ids}
        return group_list(self._lists, members, strategy, k, ListOptions(**options))

    def holds_movie(self, movie_id: str) -> bool:
        """Tells whether the index holds a movie."""
        return movie_id in self._movies

    def known_movies(self, movie_ids: Iterable[str]) -> list[str]:
        """Returns the movies of some that the index holds, without repeats; warns of the other movies.

        Raises:
            UnknownIdError: the index holds none of the movies.
        """
        ids = ids_of(movie_ids)
        return [one for one, row in zip(ids, rows_of_known(ids, self._movies), strict=True) if row >= 0]

    def reviewer_ids(self, rows: Iterable[int]) -> list[str]:
        """Returns the ids of the reviewers in some rows; a row is the rank of an id, counted from 0."""
        return self._reviewers.ids(rows)

    def movie_ids(self, rows: Iterable[int]) -> list[str]:
        """Returns the ids of the movies in some rows; a row is the rank of an id, counted from 0."""
        return self._movies.ids(rows)

    def reviewer_rows(self, reviewer_ids: Sequence[str]) -> Rows:
        """Returns the rows of some reviewers, int64 [num], or raises UnknownIdError."""
        return np.array([self._index.reviewer_row(one) for one in reviewer_ids], dtype=np.int64)

    def list_columns(self, reviewer_rows: Rows, k: int = 10, **options: Unpack[ListArguments]) -> ListColumns:
        """Makes the lists of `recommend_many` as columns, without cards: the fastest way to very many lists.

        Args:
            reviewer_rows: int64 [num_reviewers]; `reviewer_rows` gives the rows of ids.
            k: as in `recommend_many`.
            options: as in `recommend_many`; reasons and variants are not shown.

        Raises:
            EngineError: `k` or an option is wrong.
        """
        return self._columns.make(reviewer_rows, k, ListOptions(**options))

    @cached_property
    def _columns(self) -> ColumnMaker:
        from engine.lists.columns import ColumnMaker

        return ColumnMaker(self._index.batch_candidates, self._lists)

    def similar(
        self,
        movie_id: str,
        k: int = 10,
        *,
        where: str | None = None,
        no_cold: bool = False,
        all_variants: bool = False,
    ) -> list[SimilarMovie]:
        """Finds the movies most like a movie, most alike first.

        Args:
            movie_id: the movie, cold or not.
            k: how many movies are wanted, at least 1.
            where: a condition in SQL over the catalogue's columns, such as "year >= 1990".
            no_cold: leave out cold movies, which have no reviews and are known by their metadata alone.
            all_variants: answer several variants of one film too, and variants of the movie asked for.

        Raises:
            UnknownIdError: the index does not hold the movie.
            EngineError: `k` is less than 1, or `where` is not a condition over the catalogue.
        """
        from engine.relations.similar_movies import similar_movies

        check_k(k)
        return similar_movies(self._index, movie_id, k, where, no_cold=no_cold, all_variants=all_variants)

    def predict(self, reviewer_ids: Sequence[str], movie_ids: Sequence[str]) -> RatingPrediction:
        """Predicts what n reviewers would give n movies, pair by pair.

        Returns:
            Mean and median, float32 [n], and the chance of each level, float32 [n, num_levels].

        Raises:
            ConfigError: there are not as many reviewers as movies.
            DataError: the index was built from data without ratings.
            UnknownIdError: the index does not hold a reviewer or a movie.
        """
        from engine.relations.predictions import predict_pairs

        return predict_pairs(self._index, reviewer_ids, movie_ids)

    def predictions(self, reviewer_id: str, movie_ids: Sequence[str]) -> list[MoviePrediction]:
        """Predicts what a reviewer would give some movies, with an interval; raises as `predict` does."""
        from engine.relations.predictions import movie_predictions

        return movie_predictions(self._index, reviewer_id, movie_ids)

    def similar_reviewers(self, reviewer_id: str, k: int = 10) -> list[SimilarReviewer]:
        """Finds the reviewers whose taste is nearest to a reviewer's, nearest first.

        Raises:
            EngineError: `k` is less than 1, or the index does not hold the reviewer.
        """
        from engine.relations.like_minded_reviewers import similar_reviewers

        check_k(k)
        return similar_reviewers(self._index, reviewer_id, k)

    def reviewers_for(self, movie_id: str, k: int = 10, *, because: bool = True) -> list[LikelyReviewer]:
        """Finds the reviewers to tell about a movie: it scores highest for them, and they have not seen it.

        Args:
            movie_id: the movie.
            k: how many reviewers are wanted, at least 1; fewer only where fewer have not seen the movie.
            because: name the reviews of each reviewer that add most to the score.

        Raises:
            EngineError: `k` is less than 1, or the index does not hold the movie.
        """
        from engine.relations.audience import audience

        check_k(k)
        return audience(self._index, movie_id, k, because=because)

    def find_movies(self, title: str, k: int = 10) -> list[TitleMatch]:
        """Finds the movies that a piece of a title may mean, the best match first.

        Raises:
            ConfigError: `k` is less than 1, or the title holds no letter or digit.
        """
        check_k(k)
        return self._index.titles.matches(title, k)

    def find_movie(self, title: str) -> TitleMatch:
        """Finds the one movie that a piece of a title means.

        Raises:
            ConfigError: the title holds no letter or digit.
            TitleError: the title means no movie, or several, which the error's `matches` hold.
        """
        return self._index.titles.resolve(title)

    def score_all(self, reviewer_id: str) -> Floats:
        """Scores every movie for a reviewer, in the order of the movies' ids: float32 [num_movies].

        Raises:
            UnknownIdError: the index does not hold the reviewer.
        """
        scores: Floats = self._index.model.score([self._index.reviewer_row(reviewer_id)])[0]
        return scores
