"""Opens an artifact and answers who should see what, what is alike, and what someone would give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.answers import Recommendation, SimilarMovie
from engine.artifact import Artifact
from engine.candidates import CandidateSource
from engine.cards import MovieCards
from engine.catalog import CATALOG_FILE, Catalog
from engine.errors import ArtifactCorruptError, ConfigError, DataError, UnknownIdError
from engine.ids import IdTable
from engine.model_files import load_model
from engine.rating_head import RatingPrediction
from engine.scorer import Floats, Model, Reviewer, Scores
from engine.similarity import similar_rows
from indexes.base import VectorIndexError
from indexes.choose import load_index
from indexes.faiss_index import set_threads

INDEX_FILE = "movies.faiss"
"""The index over the movie vectors, in the artifact."""
_BATCH = 256

Rows = NDArray[np.int64]


class Engine:
    """Answers from one artifact; opening it reads almost nothing, and calls from threads are safe.

    Args:
        artifact: an opened one; `Engine.load` opens it by its directory.
    """

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._where = artifact.directory.name or str(artifact.directory)
        self._model = load_model(artifact)
        self._reviewers = _id_table(artifact, "reviewer")
        self._movies = _id_table(artifact, "movie")
        self._cards = MovieCards(artifact.array("movie_cards"), artifact.array("movie_card_offsets"))
        self._catalog = Catalog(artifact.file(CATALOG_FILE))
        try:
            self._index = load_index(artifact.file(INDEX_FILE))
        except VectorIndexError as error:
            raise ArtifactCorruptError(
                f"The index file of {artifact.directory} cannot be read ({error}); build the index again"
            ) from error
        # One query is too little work to share among threads, and they would fight NumPy's.
        set_threads(1)
        num_candidates = int(artifact.manifest["search"]["num_candidates"])
        self._candidates = CandidateSource(self._model, self._index, num_candidates)

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
        self, reviewer_id: str, k: int = 10, *, where: str | None = None, include_seen: bool = False
    ) -> list[Recommendation]:
        """A reviewer's top list, best first; see `recommend_many`."""
        return self.recommend_many([reviewer_id], k, where=where, include_seen=include_seen)[0]

    def recommend_many(
        self,
        reviewer_ids: Sequence[str],
        k: int = 10,
        *,
        where: str | None = None,
        include_seen: bool = False,
    ) -> list[list[Recommendation]]:
        """The top lists of some reviewers.

        Args:
            reviewer_ids: who they are for.
            k: how long the lists are, at least 1; shorter only where no more movies match.
            where: an SQL condition over the catalogue's columns, such as "price < 10 and year >= 1990".
            include_seen: list movies too that the reviewer has reviewed.

        Returns:
            A list for each reviewer, best first; equal scores stand in the order of the movies' ids.

        Raises:
            ConfigError: `k` is less than 1.
            FilterError: `where` is not a condition over the catalogue.
            UnknownIdError: the index does not hold a reviewer.
        """
        _check_k(k)
        rows = [self._reviewer_row(reviewer_id) for reviewer_id in reviewer_ids]
        matching = None if where is None else self._catalog.matching_rows(where)
        lists: list[list[Recommendation]] = []
        for begin in range(0, len(rows), _BATCH):
            reviewers = [self._model.reviewer(row) for row in rows[begin : begin + _BATCH]]
            lists.extend(self._recommend(reviewers, k, matching, include_seen))
        return lists

    def similar(self, movie_id: str, k: int = 10, *, where: str | None = None) -> list[SimilarMovie]:
        """The movies most like a movie, most alike first.

        Raises:
            ConfigError: `k` is less than 1.
            FilterError: `where` is not a condition over the catalogue.
            UnknownIdError: the index does not hold the movie.
        """
        _check_k(k)
        movie_row = self._movie_row(movie_id)
        matching = None if where is None else self._catalog.matching_rows(where)
        rows, similarities = similar_rows(self._model, self._index, movie_row, k, matching)
        return [
            SimilarMovie(
                rank=rank,
                movie_id=self._movies.id(int(row)),
                title=(card := self._cards.card(int(row)))["title"],
                similarity=float(similarity),
                card=card,
            )
            for rank, (row, similarity) in enumerate(zip(rows, similarities, strict=True), start=1)
        ]

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

    def score_all(self, reviewer_id: str) -> Floats:
        """Scores every movie for a reviewer, in the order of the movies' ids: float32 [num_movies].

        Raises:
            UnknownIdError: the index does not hold the reviewer.
        """
        scores: Floats = self._model.score([self._reviewer_row(reviewer_id)])[0]
        return scores

    def _recommend(
        self, reviewers: Sequence[Reviewer], k: int, matching: Rows | None, include_seen: bool
    ) -> list[list[Recommendation]]:
        if matching is None:
            found = self._candidates.find(reviewers, k, include_seen=include_seen)
        else:
            found = [self._open(matching, reviewer, include_seen) for reviewer in reviewers]
        return [self._top(reviewer, rows, k) for reviewer, rows in zip(reviewers, found, strict=True)]

    @staticmethod
    def _open(matching: Rows, reviewer: Reviewer, include_seen: bool) -> Rows:
        """With a condition every matching movie is scored, so that a list is short only when they run out."""
        return matching if include_seen else matching[~np.isin(matching, reviewer.history.movie_rows)]

    def _top(self, reviewer: Reviewer, rows: Rows, k: int) -> list[Recommendation]:
        scores = self._model.rescore(reviewer, rows)
        best = best_places(scores.score, k)
        predicted = None if scores.probabilities is None else scores.probabilities[best]
        return _recommendations(
            self._model, self._movies, self._cards, rows[best], _pick(scores, best), predicted
        )

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


def best_places(scores: Floats, k: int) -> Rows:
    """Positions of the k highest scores, best first, equal ones by position: int64 [min(k, len(scores))].

    Example:
        >>> best_places(np.array([1.0, 3.0, 3.0, 2.0], dtype=np.float32), 3).tolist()
        [1, 2, 3]
    """
    order: Rows = np.lexsort((np.arange(len(scores)), -scores))[:k]
    return order


def _pick(scores: Scores, places: Rows) -> Scores:
    return Scores(scores.score[places], scores.relevance[places], None)


def _recommendations(
    model: Model, movies: IdTable, cards: MovieCards, rows: Rows, scores: Scores, probabilities: Floats | None
) -> list[Recommendation]:
    predicted, likes, names = None, None, []
    if probabilities is not None and model.rating is not None:
        predicted = model.rating.summarize(probabilities)
        likes = model.like_probability(probabilities)
        names = [str(round(float(level), 4)) for level in model.rating.levels]
    answers = []
    for place, row in enumerate(rows):
        card = cards.card(int(row))
        answers.append(
            Recommendation(
                rank=place + 1,
                movie_id=movies.id(int(row)),
                title=card["title"],
                score=float(scores.score[place]),
                relevance=float(scores.relevance[place]),
                predicted_rating=None if predicted is None else float(predicted.mean[place]),
                median_rating=None if predicted is None else float(predicted.median[place]),
                like_probability=None if likes is None else float(likes[place]),
                rating_probabilities=None
                if predicted is None
                else dict(zip(names, map(float, predicted.probabilities[place]), strict=True)),
                card=card,
            )
        )
    return answers


def _id_table(artifact: Artifact, kind: str) -> IdTable:
    return IdTable(artifact.array(f"{kind}_ids"), artifact.array(f"{kind}_id_offsets"))


def _check_k(k: int) -> None:
    if k < 1:
        raise ConfigError(f"k must be at least 1 but is {k}; it says how many results are wanted")
