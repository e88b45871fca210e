"""Ranks all movies for reviewers, and measures how high the reviewers' held-out likes are ranked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows, are_held, k_highest_of_rows, spans
from engine.errors import TrainingError
from engine.model.scorer import Model
from engine.search.top_lists import exhaustive_lists
from pipelines.dataset.reviews import Reviews
from pipelines.measuring import metrics

Score = Callable[[Rows], Floats]
"""A function that takes n reviewer rows, int64 [n], and returns the scores of all movies for each of the
reviewers, float32 [n, num_movies]."""
Top = Callable[[Rows, int], NDArray[np.integer]]
"""A function that takes n reviewer rows, int64 [n], and a number k, and returns the rows of each reviewer's k
best unseen movies, int [n, k]; -1 where a reviewer has fewer than k unseen movies."""
_MAX_SCORES = 2**25
"""The largest number of scores that one batch of reviewers keeps in memory: 128 MiB of float32."""


@dataclass(frozen=True, kw_only=True)
class RankingResult:
    """Holds the ranking metrics of each reviewer, and the top lists from which the metrics were computed.

    Attributes:
        reviewer_rows: rows of the ranked reviewers, who have a held-out like, ascending, int64 [n].
        figures: the values of each metric for the ranked reviewers, float64 [n], by the metric's name, such
            as "ndcg@10".
        top: the movie rows of each ranked reviewer's longest top list, best movie first, int32 [n, k]; -1
            where a reviewer has fewer than k unseen movies.
    """

    reviewer_rows: Rows
    figures: Mapping[str, Doubles]
    top: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.reviewer_rows)

    def mean(self) -> dict[str, float]:
        """Returns the mean of each metric over the reviewers; NaN if there are no reviewers."""
        if not len(self):
            return dict.fromkeys(self.figures, float("nan"))
        return {name: float(values.mean()) for name, values in self.figures.items()}


def rank_held_out(
    score: Score,
    train: Reviews,
    liked: Reviews,
    *,
    k: Sequence[int] = (10, 20),
    batch: int = 512,
    max_reviewers: int | None = None,
    seed: int = 42,
    candidates: Rows | None = None,
    top: Top | None = None,
) -> RankingResult:
    """Ranks all unseen movies for each reviewer who has held-out likes, and measures the top lists.

    A movie is unseen if the reviewer has no training review of the movie. Movies of equal score are ordered
    by movie row. A held-out like of a movie without training reviews counts too, although most models rank
    such a movie badly. A held-out like is ignored if the reviewer also has a training review of the same
    movie. If a reviewer's training reviews include reviews of all movies in the reviewer's held-out likes, no
    movies are ranked for the reviewer.

    Args:
        score: a function that returns the scores of all movies for a batch of reviewer rows.
        train: the training reviews; a reviewer's list leaves out the movies of the reviewer's training
            reviews.
        liked: the held-out likes.
        k: lengths of the top lists for which metrics are computed.
        batch: the largest number of reviewers that are scored in one batch; in a large catalogue, fewer
            reviewers are scored in one batch.
        max_reviewers: size of a random sample of reviewers to rank; None ranks all reviewers.
        seed: seed of the random sample of reviewers.
        candidates: pairs of reviewer and movie that are ranked, or None to rank all pairs; each pair is the
            number `reviewer_row * num_movies + movie_row`, int64 [num_pairs], ascending.
        top: a faster function that returns the same top lists as ranking by `score`; not used if `candidates`
            is given.

    Raises:
        TrainingError: a score is NaN.
    """
    depth = max(k)
    wanted = np.setdiff1d(pair_keys(liked), pair_keys(train))
    counts = np.bincount(wanted // max(train.num_movies, 1), minlength=train.num_reviewers)
    rows = np.flatnonzero(counts)
    if candidates is not None:
        rows = np.intersect1d(rows, candidates // max(train.num_movies, 1))
    if max_reviewers is not None and len(rows) > max_reviewers:
        rows = np.sort(np.random.default_rng(seed).choice(rows, max_reviewers, replace=False))
    batch = max(1, min(batch, _MAX_SCORES // max(train.num_movies, 1)))
    if top is not None and candidates is None:
        listed = top(rows, depth).astype(np.int32)
    else:
        lists = [
            top_movies(_among(candidates, score(chunk), chunk), train, chunk, depth)
            for chunk in (rows[start : start + batch] for start in range(0, len(rows), batch))
        ]
        listed = np.concatenate(lists) if lists else np.zeros((0, depth), dtype=np.int32)
    hits = are_held(wanted, rows[:, None] * train.num_movies + listed) & (listed >= 0)  # [n, depth]
    return RankingResult(reviewer_rows=rows, figures=dict(_figures(hits, counts[rows], k)), top=listed)


def figure_names(k: Sequence[int] = (10, 20)) -> list[str]:
    """Returns the names of the metrics that `rank_held_out` computes."""
    nothing = np.zeros((0, max(k)), dtype=bool)
    return [name for name, _ in _figures(nothing, np.zeros(0, dtype=np.int64), k)]


def top_of(model: Model) -> Top:
    """Returns a function that lists a model's best movies, for the argument `top` of `rank_held_out`.

    The returned function returns the rows of the k best movies for each reviewer. A reviewer's list leaves
    out the movies that the reviewer has reviewed. The returned function raises TrainingError if a score is
    NaN.
    """

    def top(reviewer_rows: Rows, k: int) -> NDArray[np.integer]:
        lists = exhaustive_lists(model, reviewer_rows, k)
        _check_numbers(lists.scores)
        return lists.movie_rows

    return top


def top_movies(
    scores: Floats, seen: Reviews, reviewer_rows: NDArray[np.integer], k: int
) -> NDArray[np.int32]:
    """Returns the rows of each reviewer's k best unseen movies, int32 [num_reviewers, k].

    A reviewer with fewer than k unseen movies gets -1 at the end of the list. Movies of equal score are
    ordered by movie row. A reviewer's list leaves out movies that the reviewer has reviewed in `seen`, and
    movies whose score is minus infinity.

    Args:
        scores: the score of every movie for each reviewer, float32 [num_reviewers, num_movies].
        seen: the reviews that say which movies each reviewer has seen.
        reviewer_rows: the rows of the reviewers, int64 [num_reviewers].
        k: the length of each list.

    Raises:
        TrainingError: a score is NaN.
    """
    _check_numbers(scores)
    open_scores = np.array(scores, dtype=np.float32)
    offsets = seen.offsets()
    begins, lengths = offsets[reviewer_rows], np.diff(offsets)[reviewer_rows]
    places = np.repeat(np.arange(len(lengths)), lengths)
    open_scores[places, seen.movie_rows[spans(begins, lengths)]] = -np.inf
    top = np.full((len(open_scores), k), -1, dtype=np.int32)
    best = k_highest_of_rows(open_scores, k)  # [n, up to k]
    found = np.take_along_axis(open_scores, best, axis=1)
    top[:, : best.shape[1]] = np.where(np.isneginf(found), -1, best)
    return top


def pair_keys(reviews: Reviews) -> Rows:
    """Returns each review's reviewer and movie as one number, `reviewer_row * num_movies + movie_row`."""
    return reviews.reviewer_rows.astype(np.int64) * reviews.num_movies + reviews.movie_rows


def _check_numbers(scores: Floats) -> None:
    if np.isnan(scores).any():
        raise TrainingError(
            "Some scores are not a number; the model has diverged, so train it with a lower learning rate"
        )


def _among(candidates: Rows | None, scores: Floats, reviewer_rows: Rows) -> Floats:
    """Sets the scores of movies that are not candidates to minus infinity, unless `candidates` is None."""
    if candidates is None:
        return scores
    num_movies = scores.shape[1]
    kept = np.full(scores.shape, -np.inf, dtype=np.float32)
    edges = np.searchsorted(candidates, np.stack([reviewer_rows, reviewer_rows + 1]) * num_movies)
    for place, (begin, end) in enumerate(edges.T):
        movies = candidates[begin:end] - reviewer_rows[place] * num_movies
        kept[place, movies] = scores[place, movies]
    return kept


def _figures(
    hits: NDArray[np.bool_], num_relevant: Rows, lengths: Sequence[int]
) -> Iterator[tuple[str, Doubles]]:
    for length in lengths:
        front = hits[:, :length]
        yield f"ndcg@{length}", metrics.ndcg(front, num_relevant)
        yield f"recall@{length}", metrics.recall(front, num_relevant)
        yield f"hit_rate@{length}", metrics.hit_rate(front)
        yield f"mrr@{length}", metrics.reciprocal_rank(front)
