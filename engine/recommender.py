"""Answers questions from an index: top lists, similar movies, similar reviewers, predicted ratings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Unpack

import numpy as np

from engine.answers import (
    LikelyReviewer,
    MoviePrediction,
    Recommendation,
    SimilarMovie,
    SimilarReviewer,
    TitleMatch,
    TopList,
)
from engine.arrays import Floats, Rows
from engine.errors import ConfigError
from engine.holder import IndexHolder
from engine.model.heads import RatingPrediction
from engine.questions.arguments import (
    ListArguments,
    ListOptions,
    SimilarArguments,
    as_id,
    check_fallback,
    check_k,
    each_id,
)
from engine.questions.ids import ids_of, rows_of_known
from engine.tables.lists import AnswerList, ListsOfReviewers
from engine.threads import one_thread

if TYPE_CHECKING:
    from engine.answers import MovieProfile, ReviewerProfile
    from engine.lists.columns import ListColumns
    from engine.questions.ratings import Ratings


class Engine(IndexHolder):
    """Answers questions from one index; many threads may ask at the same time.

    Opening is fast even for a large index, because almost no bytes are read. Until `reload` is called, an
    `Engine` answers from the build that was live when the index was opened, even if the files in the index
    directory are replaced or deleted.

    Example:
        engine = Engine.load("movie-index")
        for movie in engine.recommend("A1CW3NLH9MBQRY", k=10, where="price < 10"):
            print(movie.rank, movie.title, movie.predicted_rating)
    """

    def title(self, movie_id: str) -> str | None:
        """Returns the title of a movie, or None if the catalogue holds no title for the movie.

        Raises:
            UnknownIdError: the index does not hold the movie.
        """
        index = self._index
        title: str | None = index.cards.title(index.movie_row(movie_id))
        return title

    def movie(self, movie_id: str) -> MovieProfile:
        """Describes a movie: its card, counts of reviews by rating and year, variants, and similar movies.

        Raises:
            UnknownIdError: the index does not hold the movie.
        """
        from engine.relations.profiles import movie_profile
        from engine.relations.similar_movies import similar_movies

        index, one = self._index, as_id(movie_id)
        similar = similar_movies(index, one, 5, ListOptions())
        return movie_profile(index, one, similar)

    def reviewer(self, reviewer_id: str, k: int = 10) -> ReviewerProfile:
        """Describes a reviewer: counts of reviews by rating and year, k latest reviews, similar reviewers.

        Raises:
            UnknownIdError: the index does not hold the reviewer.
            ConfigError: `k` is less than 1.
        """
        from engine.relations.like_minded_reviewers import similar_reviewers
        from engine.relations.profiles import reviewer_profile

        check_k(k)
        index, one = self._index, as_id(reviewer_id, "reviewer")
        return reviewer_profile(index, one, k, similar_reviewers(index, one, 5))

    def recommend(
        self, reviewer_id: str, k: int = 10, *, fallback: str = "error", **options: Unpack[ListArguments]
    ) -> TopList:
        """Makes the top list of one reviewer; `recommend_many` describes the arguments."""
        return self.recommend_many([reviewer_id], k, fallback=fallback, **options)[0]

    @one_thread()
    def recommend_many(
        self,
        reviewer_ids: Sequence[str],
        k: int = 10,
        *,
        fallback: str = "error",
        **options: Unpack[ListArguments],
    ) -> ListsOfReviewers[TopList]:
        """Makes a top list of movies for each of several reviewers.

        Args:
            reviewer_ids: the ids of the reviewers.
            k: the number of movies in each list, at least 1; a list is shorter only if the options allow
                fewer than k movies.
            fallback: what to do for a reviewer whom the index does not hold: "error" raises UnknownIdError;
                "popular" lists the most popular movies, and sets the list's attribute `fallback` to
                "popular".
            options: the fields of `ListOptions`, such as `where="price < 10"`; most options restrict which
                movies are listed.

        Returns:
            One list for each reviewer, highest score first; movies of equal score are ordered by id. The
            method `to_frame` of the lists returns a DataFrame with one row for each listed movie.

        Raises:
            EngineError: `k`, `fallback` or an option has a wrong value; or the index does not hold a
                reviewer, and `fallback` is "error".
        """
        check_k(k)
        check_fallback(fallback)
        wanted = ListOptions(**options)
        index = self._index
        ids = each_id(reviewer_ids, "reviewer")
        are_known = [fallback == "error" or index.knows_reviewer(one) for one in ids]
        reviewers = [index.reviewer(one) for one in compress(ids, are_known)]
        made = index.lists.make(reviewers, k, wanted)
        if all(are_known):
            return ListsOfReviewers(made, ids, Recommendation)
        from engine.lists.popular import popular_list

        popular, known = popular_list(index.lists, index.popularity, k, wanted), iter(made)
        lists = []
        for one, is_known in zip(ids, are_known, strict=True):
            hidden = index.feedback.hidden_for(one)
            if is_known:
                lists.append(next(known))
            elif len(hidden):
                lists.append(popular_list(index.lists, index.popularity, k, wanted, hidden))
            else:
                lists.append(popular)
        return ListsOfReviewers(lists, ids, Recommendation)

    @one_thread()
    def recommend_for(self, ratings: Ratings, k: int = 10, **options: Unpack[ListArguments]) -> TopList:
        """Makes the top list of a newcomer, whom the index does not hold, from the newcomer's own ratings.

        Args:
            ratings: the newcomer's ratings in stars, oldest rating first, with movie ids as keys, such as
                `{"B00005JNOG": 5}`. A rating between two rating levels of the data counts as the nearer
                level. Movies that the index does not hold are skipped, with a warning. If the index was built
                from data without ratings, movie ids without ratings are enough.
            k: the number of movies in the list, as in `recommend_many`.
            options: fields of `ListOptions`, as in `recommend_many`.

        Raises:
            DataError: `ratings` names no movie; a rating is missing; or a rating is out of range.
            EngineError: the index holds none of the movies; or `k` or an option has a wrong value.
        """
        from engine.model.newcomers import newcomer
        from engine.questions.ratings import history_of

        check_k(k)
        index = self._index
        history = history_of(ratings, index.movies, index.model.rating)
        return index.lists.make([newcomer(index.model, history)], k, ListOptions(**options))[0]

    @one_thread()
    def recommend_group(
        self,
        reviewer_ids: Sequence[str],
        k: int = 10,
        *,
        strategy: str = "average",
        **options: Unpack[ListArguments],
    ) -> TopList:
        """Makes one top list for a group of reviewers; by default, no listed movie was reviewed by a member.

        Args:
            reviewer_ids: the ids of the members; a repeated id counts once.
            k: the number of movies in the list, as in `recommend_many`.
            strategy: the way to combine the members' normalised scores of a movie: "average" takes the mean,
                and "least-misery" takes the lowest score.
            options: fields of `ListOptions`, as in `recommend_many`.

        Returns:
            A list of `GroupRecommendation`s, best movie first. The attribute `members` of a
            `GroupRecommendation` holds each member's predicted rating and chance of a like.

        Raises:
            EngineError: no member is given; the index does not hold a member; or `k`, `strategy` or an option
                has a wrong value.
        """
        from engine.lists.groups import group_list

        check_k(k)
        index = self._index
        members = {one: index.reviewer(one) for one in each_id(reviewer_ids, "reviewer")}
        return group_list(index.lists, members, strategy, k, ListOptions(**options))

    def holds_movie(self, movie_id: str) -> bool:
        """Tells whether the index holds a movie; returns False for a value that is not an id."""
        try:
            return as_id(movie_id) in self._index.movies
        except ConfigError:
            return False

    def known_movies(self, movie_ids: Iterable[str]) -> list[str]:
        """Returns those given movie ids that the index holds, without repeats; warns of unknown ids.

        Raises:
            UnknownIdError: the index holds none of the movies.
        """
        ids, index = ids_of(movie_ids), self._index
        rows = rows_of_known(ids, index.movies, index=index.name)
        return [one for one, row in zip(ids, rows, strict=True) if row >= 0]

    def reviewer_ids(self, rows: Iterable[int]) -> list[str]:
        """Returns the reviewer ids at given rows; a row is the position of an id among all ids, from 0."""
        return self._index.reviewers.ids(rows)

    def movie_ids(self, rows: Iterable[int]) -> list[str]:
        """Returns the movie ids at given rows; a row is the position of an id among all ids, from 0."""
        return self._index.movies.ids(rows)

    def reviewer_rows(self, reviewer_ids: Sequence[str]) -> Rows:
        """Returns the row of each reviewer id, int64 [num]; an unknown id raises an UnknownIdError."""
        index = self._index
        return np.array(
            [index.reviewer_row(one) for one in each_id(reviewer_ids, "reviewer")], dtype=np.int64
        )

    def list_columns(self, reviewer_rows: Rows, k: int = 10, **options: Unpack[ListArguments]) -> ListColumns:
        """Makes the top lists of very many reviewers fast, as arrays of movie rows and scores.

        Args:
            reviewer_rows: the rows of the reviewers, int64 [num_reviewers], from `Engine.reviewer_rows`.
            k: the number of movies in each list, as in `recommend_many`.
            options: fields of `ListOptions`, as in `recommend_many`; the options `because` and
                `show_variants` have no effect, since the arrays hold no reasons and no variants.

        Raises:
            EngineError: `k` or an option has a wrong value.
        """
        return self._index.columns.make(reviewer_rows, k, ListOptions(**options))

    @one_thread()
    def similar(
        self, movie_id: str, k: int = 10, **options: Unpack[SimilarArguments]
    ) -> AnswerList[SimilarMovie]:
        """Finds the movies that are most similar to a movie, the most similar first.

        Movies are compared by reviews and by metadata. By reviews, two movies are similar if more people
        review or like both movies than the popularity of the movies explains. By metadata, two movies are
        similar if their categories, brands or descriptions are similar, or if they belong to one series.

        Args:
            movie_id: the id of the movie.
            k: the number of similar movies, at least 1; fewer are returned only if the options allow fewer
                than k movies.
            options: fields of `ListOptions`, such as `where="year >= 1990"`. Of several movies that are
                variants of one film, only the most reviewed variant is returned, unless `all_variants` is
                True. If `because` is True, each returned movie says what it has in common with the given
                movie.

        Raises:
            UnknownIdError: the index does not hold the movie.
            EngineError: `k` or an option has a wrong value.
        """
        from engine.relations.similar_movies import similar_movies

        check_k(k)
        found = similar_movies(self._index, movie_id, k, ListOptions(**options))
        return AnswerList(found, SimilarMovie)

    def predict(self, reviewer_ids: Sequence[str], movie_ids: Sequence[str]) -> RatingPrediction:
        """Predicts the rating that reviewer `reviewer_ids[i]` would give movie `movie_ids[i]`, for all i.

        Returns:
            The mean and the median of the predicted distribution of each rating, float32 [n] each, and the
            chance of each rating level, float32 [n, num_levels].

        Raises:
            ConfigError: the number of reviewer ids differs from the number of movie ids.
            DataError: the index was built from data without ratings.
            UnknownIdError: the index does not hold a reviewer or a movie.
        """
        from engine.relations.predictions import predict_pairs

        return predict_pairs(self._index, each_id(reviewer_ids, "reviewer"), each_id(movie_ids))

    @one_thread()
    def predictions(self, reviewer_id: str, movie_ids: Sequence[str]) -> AnswerList[MoviePrediction]:
        """Predicts a reviewer's ratings of given movies, and an interval that probably contains each rating.

        Raises:
            EngineError: no rating can be predicted, for one of the reasons that `predict` lists.
        """
        from engine.relations.predictions import movie_predictions

        found = movie_predictions(self._index, as_id(reviewer_id, "reviewer"), each_id(movie_ids))
        return AnswerList(found, MoviePrediction)

    def similar_reviewers(self, reviewer_id: str, k: int = 10) -> AnswerList[SimilarReviewer]:
        """Finds the reviewers whose vectors and histories are most similar to those of a reviewer.

        Raises:
            EngineError: `k` is less than 1, or the index does not hold the reviewer.
        """
        from engine.relations.like_minded_reviewers import similar_reviewers

        check_k(k)
        return AnswerList(similar_reviewers(self._index, as_id(reviewer_id, "reviewer"), k), SimilarReviewer)

    def reviewers_for(
        self, movie_id: str, k: int = 10, *, because: bool = True
    ) -> AnswerList[LikelyReviewer]:
        """Finds the reviewers for whom a movie scores highest; reviewers who reviewed the movie are left out.

        Args:
            movie_id: the id of the movie.
            k: the number of reviewers, at least 1. All reviewers without a review of the movie are
                returned if there are fewer than k such reviewers.
            because: whether each answer names the reviewer's reviews that add most to the movie's score.

        Raises:
            EngineError: `k` is less than 1, or the index does not hold the movie.
        """
        from engine.relations.audience import audience

        check_k(k)
        return AnswerList(audience(self._index, movie_id, k, because=because), LikelyReviewer)

    def find_movies(self, title: str, k: int = 10) -> AnswerList[TitleMatch]:
        """Finds the movies whose titles equal, contain or resemble the text `title`, the best match first.

        Movies that are hidden from everybody are left out.

        Raises:
            ConfigError: `k` is less than 1, or the title holds no letter or digit.
        """
        check_k(k)
        index = self._index
        return AnswerList(index.titles.matches(title, k, index.feedback.hidden.movies), TitleMatch)

    def find_movie(self, title: str) -> TitleMatch:
        """Finds the movie whose title equals `title`; otherwise the only movie whose title resembles `title`.

        Raises:
            ConfigError: the title holds no letter or digit.
            TitleError: the title matches no movie; or the title matches several movies, which the error's
                attribute `matches` holds.
        """
        return self._index.titles.resolve(title)

    def score_all(self, reviewer_id: str) -> Floats:
        """Returns a reviewer's score of every movie, in ascending order of movie ids, float32 [num_movies].

        Raises:
            UnknownIdError: the index does not hold the reviewer.
        """
        index = self._index
        scores: Floats = index.model.score([index.reviewer_row(reviewer_id)])[0]
        return scores
