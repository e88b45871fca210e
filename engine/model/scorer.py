"""Computes a movie's score for a reviewer from vectors, similar movies and the chance of a like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows
from engine.artifact import layout
from engine.artifact.arrays import check_finite
from engine.artifact.reader import Artifact
from engine.errors import ArtifactCorruptError
from engine.model.heads import ColdDoubts, RatingHead, RatingPrediction, RelevanceHead, Tastes
from engine.model.histories import Histories, History
from engine.model.neighbours import (
    MovieSums,
    NearTable,
    NeighbourRatings,
    Neighbours,
    NeighbourTable,
    near_sums,
    stars_above_expectation,
)
from engine.model.values import Blend, Reviewer, Reviewers, Scores

RowsOrAll = NDArray[np.integer] | slice

ALL = slice(None)
"""The slice that selects all movies, in ascending order of movie rows."""
LEAST_CHANCE = 1e-6
"""A chance of a like below `LEAST_CHANCE` is replaced by `LEAST_CHANCE` before the logarithm of the chance is
taken, because the logarithm of 0 is minus infinity."""
_LEAST_RATED = 24
"""`Model.rescore_best` predicts the ratings of at least this many movies, the most relevant movies first."""
_PAIRS = 2**16
"""The largest number of pairs of reviewer and movie for which one step computes the relevance or predicts the
rating. A larger number would need more memory."""
SUCCESSOR_RECENCY = 1.0
"""The exponent that makes older reviews weigh less in what `Model.successors` adds to relevance. For
the n-th last movie of a reviewer's history (n is 1 for the newest review), the weights of the movies that
often came soon after the n-th last movie are multiplied by `n ** -SUCCESSOR_RECENCY`."""


def arrays_of(part: object, names: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """Returns the arrays of `part`, such as a `RatingHead`, keyed by the arrays' names in an index."""
    return {name: getattr(part, field) for field, name in names.items()}


@dataclass(frozen=True, kw_only=True)
class Model:
    """Scores movies for reviewers; the arrays of the model are in memory or memory-mapped files.

    If the data has no ratings, the attributes `rating` and `rating_neighbours` are None.

    Attributes:
        neighbours: the similar movies of each movie; two movies are similar if many reviewers reviewed both.
        history_neighbours: a table with other similarities of movies, which ranked held-out likes better than
            `neighbours`; None if `neighbours` ranked held-out likes best.
        rating_neighbours: the similar movies of each movie; two movies are similar if reviewers who rated
            both gave similar ratings.
        successors: for each movie, the movies that often came soon after the movie in histories; None if such
            a table did not improve the ranking of held-out likes.
        doubts: an object that lowers the relevance of cold movies (movies without reviews); None if there are
            no cold movies, or in an older index.
    """

    relevance: RelevanceHead
    rating: RatingHead | None
    neighbours: NeighbourTable
    history_neighbours: NeighbourTable | None
    rating_neighbours: NeighbourTable | None
    histories: Histories
    blend: Blend
    successors: NeighbourTable | None = None
    doubts: ColdDoubts | None = None

    @classmethod
    def open(cls, artifact: Artifact) -> Model:
        """Opens the model of an index; the arrays are memory-mapped files.

        Raises:
            ArtifactError: a file is missing or damaged; or the manifest does not describe a model.
        """
        try:
            section = artifact.section(layout.MODEL_SECTION)
            relevance = RelevanceHead(
                recency_power=float(section["recency_power"]),
                max_history=int(section["max_history"]),
                **artifact.arrays(layout.RELEVANCE_ARRAYS),
            )
            rating, tables = None, {"neighbours"}
            if section["has_linear_neighbours"]:
                tables.add("history_neighbours")
            if section.get("has_successors"):
                tables.add("successors")
            if section["rating_levels"]:
                tables.add("rating_neighbours")
                kernel, bias = layout.RATING_LAYER_ARRAYS
                layers = range(int(section["num_rating_layers"]))
                rating = RatingHead(
                    kernels=[artifact.array(kernel.format(layer)) for layer in layers],
                    biases=[artifact.array(bias.format(layer)) for layer in layers],
                    **artifact.arrays(layout.RATING_ARRAYS),
                )
            neighbours: dict[str, Any] = {
                field: NeighbourTable(**artifact.arrays(names), is_stored=True) if field in tables else None
                for field, names in layout.NEIGHBOUR_ARRAYS.items()
            }
            num_levels = 1 if rating is None else len(rating.levels)
            limits = len(relevance.movie_vectors), num_levels
            histories = Histories(**artifact.arrays(layout.HISTORY_ARRAYS), limits=limits)
            blend = Blend(**section["blend"])
            if len(relevance.level_weights) != num_levels or (rating and rating.kernels[-1].shape[1] != 2):
                raise ValueError("the weights of rating levels, or the layers of the rating head, do not fit")
            doubts = None
            if artifact.has(layout.COLD_DOUBTS + layout.ARRAY_ENDING):
                doubts = ColdDoubts(
                    is_cold=artifact.array(layout.COLD_MOVIES),
                    errors=artifact.array(layout.COLD_DOUBTS),
                    included=float(artifact.section(layout.COLD_SECTION)["doubt"]),
                )
            return cls(
                relevance=relevance,
                rating=rating,
                histories=histories,
                blend=blend,
                doubts=doubts,
                **neighbours,
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ArtifactCorruptError(
                f"The manifest of {artifact.directory} does not describe a model ({error}); "
                "build the index again"
            ) from error

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Returns every array of the model, with the names of the arrays in an index as keys."""
        arrays = arrays_of(self.relevance, layout.RELEVANCE_ARRAYS)
        arrays |= arrays_of(self.histories, layout.HISTORY_ARRAYS)
        if self.rating is not None:
            arrays |= arrays_of(self.rating, layout.RATING_ARRAYS)
            kernel, bias = layout.RATING_LAYER_ARRAYS
            arrays |= {kernel.format(layer): part for layer, part in enumerate(self.rating.kernels)}
            arrays |= {bias.format(layer): part for layer, part in enumerate(self.rating.biases)}
        for field, names in layout.NEIGHBOUR_ARRAYS.items():
            if getattr(self, field) is not None:
                arrays |= arrays_of(getattr(self, field), names)
        if self.doubts is not None:
            arrays[layout.COLD_DOUBTS] = self.doubts.errors
        return arrays

    def section(self) -> dict[str, Any]:
        """Returns the manifest section about the model: settings such as the fields of `Blend`."""
        return {
            "embedding_dim": self.relevance.embedding_dim,
            "recency_power": self.relevance.recency_power,
            "max_history": self.relevance.max_history,
            "rating_levels": [] if self.rating is None else [float(level) for level in self.rating.levels],
            "num_rating_layers": 0 if self.rating is None else len(self.rating.kernels),
            "has_linear_neighbours": self.history_neighbours is not None,
            "has_successors": self.successors is not None,
            "blend": asdict(self.blend),
        }

    @property
    def num_movies(self) -> int:
        """Returns the number of movies that the model can score."""
        return len(self.relevance.movie_vectors)

    @property
    def history_table(self) -> NeighbourTable:
        """Returns the neighbour table from which the similarity of a movie to a history is computed."""
        return self.neighbours if self.history_neighbours is None else self.history_neighbours

    @property
    def near_tables(self) -> list[NearTable]:
        """Returns the neighbour tables whose similarities of movies to a history are added to relevance."""
        blend, tables, power = self.blend, [], self.relevance.recency_power
        if blend.neighbour_weight:
            table = self.history_table
            tables.append(NearTable(table, blend.neighbour_weight, power, blend.length_power))
        if self.successors is not None and blend.successor_weight:
            tables.append(NearTable(self.successors, blend.successor_weight, SUCCESSOR_RECENCY))
        return tables

    @cached_property
    def review_weights(self) -> Floats:
        """Returns the weight of a review of each rating level: float32 [num_levels], 1 for a like.

        The similarity of a movie to a movie of a reviewer's history is multiplied by the review's weight.
        """
        if self.rating is None:
            return np.ones(1, dtype=np.float32)
        liked = self.rating.levels >= self.blend.like_rating
        return np.where(liked, 1.0, self.blend.other_weight).astype(np.float32)

    def reviewer(self, reviewer_row: int | None, history: History | None = None) -> Reviewer:
        """Computes what is needed to score movies for one reviewer, such as the reviewer's vectors."""
        rows = None if reviewer_row is None else np.array([reviewer_row])
        one, found = self._reviewers(rows, None if history is None else Histories.of_one(history))
        return Reviewer(
            one.histories.of(0), one.queries[0], one.near, found, one.tastes, one.neighbour_ratings
        )

    def reviewers(
        self, reviewer_rows: NDArray[np.integer] | None, histories: Histories | None = None
    ) -> Reviewers:
        """Computes what is needed to score movies for several reviewers, such as the reviewers' vectors.

        If `histories` is None, the histories that are stored in the model are used. If `reviewer_rows` is
        None, the reviewers are newcomers, and `histories` must be given.
        """
        return self._reviewers(reviewer_rows, histories)[0]

    def _reviewers(
        self, reviewer_rows: NDArray[np.integer] | None, histories: Histories | None
    ) -> tuple[Reviewers, list[Neighbours]]:
        """Returns a `Reviewers` object, and the neighbours of histories' movies in each of `near_tables`."""
        if histories is None:
            if reviewer_rows is None:
                raise ValueError("A reviewer without a row needs a history")
            histories = self.histories.take(reviewer_rows)
        tastes = neighbour_ratings = None
        if self.rating is not None:
            tastes = self.rating.tastes(reviewer_rows, histories)
            if self.rating_neighbours is not None:
                stars = stars_above_expectation(self.rating.above_means(histories), histories)
                neighbour_ratings = NeighbourRatings(self.rating_neighbours, histories, stars)
        queries = self.relevance.queries(reviewer_rows, histories)
        near, found = self._near_by(self.near_tables, histories)
        return Reviewers(histories, queries, near, tastes, neighbour_ratings), found

    def near_by(self, tables: Sequence[NearTable], histories: Histories) -> MovieSums:
        """Adds up, for each movie and each history, the movie's similarities to the movies of the history.

        The similarities are taken from `tables`. The similarities to a movie of a history are multiplied by
        a weight, which `Model.review_weights` holds for the rating that the reviewer gave to the movie.
        """
        return self._near_by(tables, histories)[0]

    def _near_by(
        self, tables: Sequence[NearTable], histories: Histories
    ) -> tuple[MovieSums, list[Neighbours]]:
        """Returns the result of `near_by`, and the neighbours of histories' movies in each of `tables`."""
        found = [near.table.look_up(histories.movie_rows, histories.places) for near in tables]
        weights = self.review_weights[histories.level_rows].astype(np.float64)
        return near_sums(tables, found, histories, weights, self.num_movies), found

    def rescore(self, reviewer: Reviewer, movie_rows: RowsOrAll) -> Scores:
        """Computes one reviewer's full scores: relevance plus the weighted log chance of a like."""
        return self._whole(reviewer, movie_rows, self._relevance(reviewer, movie_rows))

    def rescore_best(
        self, reviewer: Reviewer, movie_rows: NDArray[np.integer], k: int
    ) -> tuple[Rows, Scores]:
        """Finds the k best of the movies in `movie_rows`, without predicting the rating of every movie.

        A full score is the relevance plus the weighted logarithm of the chance of a like. The logarithm of a
        chance is at most 0, so a full score is at most the relevance. A movie is not among the k best if k
        other movies have full scores above the movie's relevance. To save time, the method predicts no rating
        for most of the movies whose relevance is too low for the k best.

        Returns:
            The positions in `movie_rows`, ascending, of the movies whose full scores were computed, at least
            the k best; and the full scores of the movies at these positions.
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
        near = reviewer.near.at(movie_rows)
        relevance = (self.relevance.score(reviewer.query, movie_rows) + near).astype(np.float32)
        if self.doubts is not None:
            relevance -= self.doubts.of(reviewer.query, movie_rows)
        check_finite(relevance, "vectors")
        return relevance

    def _whole(self, reviewer: Reviewer, movie_rows: RowsOrAll, relevance: Floats) -> Scores:
        """Computes full scores: adds the weighted logarithm of the chance of a like to the relevance."""
        if self.rating is None:
            return Scores(relevance, relevance, None)
        probabilities = self.rate(reviewer, movie_rows)
        log_like = self.log_like(probabilities)
        score = (relevance + np.float32(self.blend.like_weight) * log_like).astype(np.float32)
        return Scores(score, relevance, probabilities)

    def rate(self, reviewer: Reviewer, movie_rows: RowsOrAll) -> Floats:
        """Predicts one reviewer's chance of each rating level for given movies: float32 [num, num_levels]."""
        ratings = reviewer.neighbour_ratings
        stars = None if ratings is None else ratings.at(movie_rows)
        return self.rate_tastes(reviewer.taste, movie_rows, stars)

    def rate_pairs(
        self, reviewers: Reviewers, places: NDArray[np.integer], movie_rows: NDArray[np.integer]
    ) -> Floats:
        """Predicts the chance of each rating level for pairs of reviewer and movie: [num, num_levels].

        The array `places` holds the position in `reviewers` of each pair's reviewer.
        """
        tastes = None if reviewers.tastes is None else reviewers.tastes.take(places)
        ratings = reviewers.neighbour_ratings
        stars = None if ratings is None else ratings.at(self.keys(places, movie_rows))
        return self.rate_tastes(tastes, movie_rows, stars)

    def keys(self, places: NDArray[np.integer], movie_rows: NDArray[np.integer]) -> Rows:
        """Returns pairs of reviewer and movie, int64, each as the number `place * num_movies + movie_row`."""
        return np.asarray(places, dtype=np.int64) * self.num_movies + movie_rows

    def rate_tastes(self, tastes: Tastes | None, movie_rows: RowsOrAll, stars: Doubles | None) -> Floats:
        """Predicts the chance of each rating level from reviewers' vectors and biases: [num, num_levels].

        The argument `tastes` holds vectors, biases and log scales, either of one reviewer for all movies, or
        of a reviewer for each movie in `movie_rows`. The array `stars`, float64 [num], says for each movie by
        how many stars, on average, the reviewer rated similar movies above the expected ratings. If `stars`
        is None, the reviewer's ratings of similar movies do not change the prediction.
        """
        if self.rating is None or tastes is None:
            raise ValueError("The data has no ratings to predict")
        location, log_scale = self.rating.locate(tastes, movie_rows, self.blend.interaction_weight)
        if stars is not None:
            above = np.float32(self.blend.rating_neighbour_weight) * stars
            location = (location + above).astype(np.float32)
        check_finite(location + log_scale, "parts that predict ratings")
        return self.rating.probabilities(location, log_scale + np.float32(self.blend.log_temperature))

    def like_probability(self, probabilities: Floats) -> Floats:
        """Adds up the chances of the rating levels that count as a like: float32 [num]."""
        if self.rating is None:
            raise ValueError("The data has no ratings to predict")
        liked: Floats = probabilities[:, self.rating.levels >= self.blend.like_rating].sum(axis=1)
        return np.minimum(liked, np.float32(1))

    def log_like(self, probabilities: Floats) -> Floats:
        """Returns the logarithm of each movie's chance of a like, lowered for low chances: float32 [num].

        If the chance of a like is at least 0.5, the returned number is `log(chance)`. If the chance of a like
        is below 0.5, the returned number is `log(chance) + blend.doubt * log(2 * chance)`. The number
        `blend.doubt` lowers the scores of movies whose chance of a like is below 0.5.
        """
        chances = np.maximum(self.like_probability(probabilities), np.float32(LEAST_CHANCE))
        return self.blend.doubted(np.log(chances))

    def relevance_of_pairs(
        self, reviewers: Reviewers, places: NDArray[np.integer], movie_rows: NDArray[np.integer]
    ) -> Floats:
        """Computes the relevance (the score without the chance of a like) of pairs of reviewer and movie.

        Returns:
            The relevance of each pair, float32 [num_pairs].
        """
        relevance = np.empty(len(places), dtype=np.float32)
        for begin in range(0, len(places), _PAIRS):
            pairs = slice(begin, begin + _PAIRS)
            vectors = self.relevance.movie_vectors[movie_rows[pairs]]
            relevance[pairs] = np.einsum("nd,nd->n", vectors, reviewers.queries[places[pairs]])
        near = reviewers.near.at(self.keys(places, movie_rows))
        relevance = (relevance + near).astype(np.float32)
        if self.doubts is not None:
            relevance -= self.doubts.of_pairs(reviewers.queries, places, movie_rows)
        check_finite(relevance, "vectors")
        return relevance

    def score(self, reviewer_rows: NDArray[np.integer] | Sequence[int]) -> Floats:
        """Computes the full score of every movie for each reviewer: float32 [num_reviewers, num_movies]."""
        scores = [self.rescore(self.reviewer(int(row)), ALL).score for row in reviewer_rows]
        return np.stack(scores) if scores else np.zeros((0, self.num_movies), dtype=np.float32)

    def predict(
        self, reviewer_rows: NDArray[np.integer], movie_rows: NDArray[np.integer]
    ) -> RatingPrediction | None:
        """Predicts the rating of each pair of reviewer and movie; returns None if the data has no ratings."""
        if self.rating is None:
            return None
        probabilities = np.zeros((len(movie_rows), len(self.rating.levels)), dtype=np.float32)
        order = np.argsort(reviewer_rows, kind="stable")
        for begin in range(0, len(order), _PAIRS):
            chosen = order[begin : begin + _PAIRS]
            rows, places = np.unique(np.asarray(reviewer_rows)[chosen], return_inverse=True)
            for first, last in self.histories.batches(rows):
                within = (places >= first) & (places < last)
                reviewers = self.reviewers(rows[first:last])
                movies = np.asarray(movie_rows)[chosen[within]]
                probabilities[chosen[within]] = self.rate_pairs(reviewers, places[within] - first, movies)
        return self.rating.summarize(probabilities)
