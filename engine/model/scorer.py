"""The final score of a movie for a reviewer: relevance, neighbours and the chance of a like, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, sums
from engine.model.heads import RatingHead, RatingPrediction, RelevanceHead, Tastes
from engine.model.histories import Histories, History, recency_weights
from engine.model.neighbours import MovieSums, NeighbourRatings, NeighbourTable

RowsOrAll = NDArray[np.integer] | slice

ALL = slice(None)
"""Every movie, in the order of the rows."""
_LEAST_RATED = 24
"""Movies that are rated at first, of those that may be among the best."""
_PAIRS = 2**16
"""Pairs of which a prediction goes through at once."""
_LOAD = 2**13
"""Reviews whose neighbours are gone through at once, some hundred each."""
_LEAST_LOAD = 2**4
"""What a reviewer counts at least: their query and their list cost something too."""


@dataclass(frozen=True, kw_only=True)
class Blend:
    """How the parts are added up; chosen on validation data, kept in the manifest."""

    like_rating: float = 4.0
    """The lowest rating that is a like."""
    neighbour_weight: float = 0.0
    """What the nearness to the history's movies adds to the relevance."""
    like_weight: float = 0.0
    """What the logarithm of the chance of a like adds to the score."""
    interaction_weight: float = 1.0
    """What the network's interaction of reviewer and movie counts in a rating, beside their biases."""
    rating_neighbour_weight: float = 0.0
    """Logits that the neighbours' ratings add to a rating's location, per star above their baseline."""
    location_offset: float = 0.0
    """Logits by which later ratings lay above the network's; the rating head's thresholds hold them."""
    log_temperature: float = 0.0
    """What is added to the log scale of the ratings, so that their chances are calibrated."""
    other_weight: float = 0.3
    """What a review that is no like counts among the neighbours of a history; a like counts 1."""


class Reviewer(NamedTuple):
    """One reviewer's side of every score, worked out once a query."""

    history: History
    query: Floats
    """float32 [embedding_dim + 1], what the index is asked."""
    near: MovieSums
    """How near movies are to the history, newer reviews counting more."""
    taste: Tastes | None
    """What the rating head needs, of this one; None where the data has no ratings."""
    neighbour_ratings: NeighbourRatings | None
    """In stars: how far above expectation each movie's neighbours were rated."""


class Reviewers(NamedTuple):
    """The sides of several reviewers; their places in it stand for them."""

    histories: Histories
    queries: Floats
    """float32 [num, embedding_dim + 1]."""
    near: MovieSums
    """By keys, `place * num_movies + movie_row`."""
    tastes: Tastes | None
    neighbour_ratings: NeighbourRatings | None
    """By keys."""

    def __len__(self) -> int:
        return len(self.queries)


class Scores(NamedTuple):
    """The scores of some movies for one reviewer."""

    score: Floats
    """float32 [num]; higher is better."""
    relevance: Floats
    """float32 [num], will they come; a log chance but for a constant."""
    probabilities: Floats | None
    """float32 [num, num_levels], what they will give; None where the data has no ratings."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """Everything that scoring needs, as arrays in memory or mapped from an artifact.

    Attributes:
        relevance: the head whose movie vectors the index holds.
        rating: the head that predicts ratings; None where the data has none.
        neighbours: co-review similarities.
        chosen_neighbours: a table that found more of what was held out, of a linear model over all pairs of
            movies, of damped co-reviews, or of either or co-reviews with what metadata makes alike; it stands
            in for the co-review similarities in every score, and is None where they found most themselves.
        rating_neighbours: similarities of ratings; None where there are none.
        histories: what each reviewer reviewed.
        blend: how the parts are added up.
    """

    relevance: RelevanceHead
    rating: RatingHead | None
    neighbours: NeighbourTable
    chosen_neighbours: NeighbourTable | None
    rating_neighbours: NeighbourTable | None
    histories: Histories
    blend: Blend

    @property
    def num_movies(self) -> int:
        """How many movies can be scored."""
        return len(self.relevance.movie_vectors)

    @property
    def nearness_table(self) -> NeighbourTable:
        """The table by which movies are near to a history."""
        return self.neighbours if self.chosen_neighbours is None else self.chosen_neighbours

    def reviewer(self, reviewer_row: int | None, history: History | None = None) -> Reviewer:
        """Works out a reviewer's side of the scores; see `reviewers`."""
        if history is None:
            if reviewer_row is None:
                raise ValueError("A reviewer without a row needs a history")
            history = self.histories.of(reviewer_row)
        rows = None if reviewer_row is None else np.array([reviewer_row])
        one = self.reviewers(rows, Histories.of_one(history))
        return Reviewer(history, one.queries[0], one.near, one.tastes, one.neighbour_ratings)

    def reviewers(
        self, reviewer_rows: NDArray[np.integer] | None, histories: Histories | None = None
    ) -> Reviewers:
        """Works out the sides of some reviewers.

        Args:
            reviewer_rows: int [num], or None for reviewers who were not trained on.
            histories: what each of them reviewed, oldest first; by default what was trained on.
        """
        if histories is None:
            if reviewer_rows is None:
                raise ValueError("Reviewers without rows need histories")
            histories = self.histories.take(reviewer_rows)
        return Reviewers(
            histories,
            self.relevance.queries(reviewer_rows, histories),
            self.near(histories),
            None if self.rating is None else self.rating.tastes(reviewer_rows, histories),
            self._neighbour_ratings(histories),
        )

    def near(self, histories: Histories) -> MovieSums:
        """How near movies are to some histories, newer reviews counting more; by keys."""
        fading = recency_weights(histories.ages, self.relevance.recency_power)
        weights = fading * self.like_weights[histories.level_rows]
        mass = np.maximum(sums(fading, histories.offsets), np.float32(1)).astype(np.float64)
        weights = weights / mass[histories.places]
        table, places, count = self.nearness_table, histories.places, len(histories)
        keys, (near,) = table.spread(histories.movie_rows, weights, places=places, num_places=count)
        return MovieSums(keys, near, count * self.num_movies)

    def rescore(self, reviewer: Reviewer, movie_rows: RowsOrAll) -> Scores:
        """Scores some movies, or all of them, for one reviewer."""
        return self._whole(reviewer, movie_rows, self._relevance(reviewer, movie_rows))

    def rescore_best(
        self, reviewer: Reviewer, movie_rows: NDArray[np.integer], k: int
    ) -> tuple[NDArray[np.int64], Scores]:
        """Scores those of some movies that may be among their k best, as `rescore` would.

        Rating a movie takes longer than the rest of its score, and only takes away from it, so what the best
        come to without ratings bounds the others.

        Returns:
            Positions in `movie_rows`, ascending, of the k best at least, and their scores.
        """
        relevance = self._relevance(reviewer, movie_rows)
        width = max(_LEAST_RATED, 2 * k)
        if len(relevance) <= width:
            return np.arange(len(relevance)), self._whole(reviewer, movie_rows, relevance)
        places = np.sort(np.argpartition(-relevance, width - 1)[:width])
        scores = self._whole(reviewer, movie_rows[places], relevance[places])
        may_be_best = relevance >= np.partition(scores.score, width - k)[width - k]
        may_be_best[places] = True
        if may_be_best.sum() > width:
            places = np.flatnonzero(may_be_best)
            scores = self._whole(reviewer, movie_rows[places], relevance[places])
        return places, scores

    def _relevance(self, reviewer: Reviewer, movie_rows: RowsOrAll) -> Floats:
        near = np.float32(self.blend.neighbour_weight) * reviewer.near.at(movie_rows)
        return (self.relevance.score(reviewer.query, movie_rows) + near).astype(np.float32)

    def _whole(self, reviewer: Reviewer, movie_rows: RowsOrAll, relevance: Floats) -> Scores:
        """The scores of movies whose relevance, neighbours and all, is known."""
        if self.rating is None:
            return Scores(relevance, relevance, None)
        probabilities = self.rate(reviewer, movie_rows)
        log_like = self.log_like(probabilities)
        score = (relevance + np.float32(self.blend.like_weight) * log_like).astype(np.float32)
        return Scores(score, relevance, probabilities)

    def rate(self, reviewer: Reviewer, movie_rows: RowsOrAll) -> Floats:
        """The chance of each rating of some movies by one reviewer, float32 [num, num_levels]."""
        return self._rate(reviewer.taste, movie_rows, reviewer.neighbour_ratings, movie_rows)

    def rate_pairs(
        self, reviewers: Reviewers, places: NDArray[np.integer], movie_rows: NDArray[np.integer]
    ) -> Floats:
        """The chance of each rating, pair by pair: float32 [num, num_levels].

        Args:
            reviewers: those of the pairs.
            places: int [num], who of them.
            movie_rows: int [num].
        """
        tastes = None if reviewers.tastes is None else reviewers.tastes.take(places)
        return self._rate(tastes, movie_rows, reviewers.neighbour_ratings, self.keys(places, movie_rows))

    def keys(self, places: NDArray[np.integer], movie_rows: NDArray[np.integer]) -> NDArray[np.int64]:
        """Reviewers' places and movies as one number each, int64 [num]."""
        return np.asarray(places, dtype=np.int64) * self.num_movies + movie_rows

    def _rate(
        self, tastes: Tastes | None, movie_rows: RowsOrAll, near: NeighbourRatings | None, keys: RowsOrAll
    ) -> Floats:
        if self.rating is None or tastes is None:
            raise ValueError("The data has no ratings to predict")
        location, log_scale = self.rating.locate(tastes, movie_rows, self.blend.interaction_weight)
        if near is not None:
            above = np.float32(self.blend.rating_neighbour_weight) * near.at(keys)
            location = (location + above).astype(np.float32)
        return self.rating.probabilities(location, log_scale + np.float32(self.blend.log_temperature))

    def like_probability(self, probabilities: Floats) -> Floats:
        """The chance of a like, float32 [num], from chances of ratings, float32 [num, num_levels]."""
        if self.rating is None:
            raise ValueError("The data has no ratings to predict")
        liked: Floats = probabilities[:, self.rating.levels >= self.blend.like_rating].sum(axis=1)
        return np.minimum(liked, np.float32(1))

    def log_like(self, probabilities: Floats) -> Floats:
        """The logarithm of the chance of a like, float32 [num], 0 at most."""
        logarithms: Floats = np.log(np.maximum(self.like_probability(probabilities), np.float32(1e-6)))
        return logarithms

    def relevance_of_pairs(
        self, reviewers: Reviewers, places: NDArray[np.integer], movie_rows: NDArray[np.integer]
    ) -> Floats:
        """Will they come, pair by pair: float32 [num]; arguments as of `rate_pairs`."""
        relevance = np.empty(len(places), dtype=np.float32)
        for begin in range(0, len(places), _PAIRS):
            pairs = slice(begin, begin + _PAIRS)
            vectors = self.relevance.movie_vectors[movie_rows[pairs]]
            relevance[pairs] = np.einsum("nd,nd->n", vectors, reviewers.queries[places[pairs]])
        near = reviewers.near.at(self.keys(places, movie_rows))
        return (relevance + np.float32(self.blend.neighbour_weight) * near).astype(np.float32)

    def score(self, reviewer_rows: NDArray[np.integer] | Sequence[int]) -> Floats:
        """Scores every movie for some reviewers, exhaustively: float32 [num_reviewers, num_movies]."""
        scores = [self.rescore(self.reviewer(int(row)), ALL).score for row in reviewer_rows]
        return np.stack(scores) if scores else np.zeros((0, self.num_movies), dtype=np.float32)

    def predict(
        self, reviewer_rows: NDArray[np.integer], movie_rows: NDArray[np.integer]
    ) -> RatingPrediction | None:
        """Predicts the ratings of n pairs; None where the data has no ratings.

        Args:
            reviewer_rows: int [n].
            movie_rows: int [n].
        """
        if self.rating is None:
            return None
        probabilities = np.zeros((len(movie_rows), len(self.rating.levels)), dtype=np.float32)
        order = np.argsort(reviewer_rows, kind="stable")
        for begin in range(0, len(order), _PAIRS):
            chosen = order[begin : begin + _PAIRS]
            rows, places = np.unique(np.asarray(reviewer_rows)[chosen], return_inverse=True)
            for first, last in self.batches(rows):
                within = (places >= first) & (places < last)
                reviewers = self.reviewers(rows[first:last])
                movies = np.asarray(movie_rows)[chosen[within]]
                probabilities[chosen[within]] = self.rate_pairs(reviewers, places[within] - first, movies)
        return self.rating.summarize(probabilities)

    def batches(self, reviewer_rows: NDArray[np.integer]) -> list[tuple[int, int]]:
        """Where to cut some reviewers into batches whose sides take some hundred megabytes at most.

        Returns:
            Begin and end of each batch, as positions in `reviewer_rows`.
        """
        lengths = np.diff(
            self.histories.offsets[np.stack([reviewer_rows, np.asarray(reviewer_rows) + 1])], axis=0
        )[0]
        load = np.cumsum(np.maximum(lengths, _LEAST_LOAD)) // _LOAD
        cuts = np.flatnonzero(np.diff(load)) + 1
        return list(zip([0, *cuts], [*cuts, len(load)], strict=True)) if len(load) else []

    @cached_property
    def like_weights(self) -> Floats:
        """What a review of each level counts among a history's neighbours, float32 [max(num_levels, 1)]."""
        if self.rating is None:
            return np.ones(1, dtype=np.float32)
        liked = self.rating.levels >= self.blend.like_rating
        return np.where(liked, 1.0, self.blend.other_weight).astype(np.float32)

    def _neighbour_ratings(self, histories: Histories) -> NeighbourRatings | None:
        if self.rating is None or self.rating_neighbours is None:
            return None
        residuals = self.rating.levels[histories.level_rows] - self.rating.baselines[histories.movie_rows]
        return NeighbourRatings.of(self.rating_neighbours, histories, residuals)
