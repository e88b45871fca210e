"""Ranks the whole catalogue for reviewers, and measures how high their held-out likes stand."""

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
"""Gives float32 [n, num_movies] for reviewer rows, int64 [n]; higher is better."""
Top = Callable[[Rows, int], NDArray[np.integer]]
"""Gives the k best unseen movies, int [n, k], for reviewer rows, int64 [n], and k; -1 where none is left."""
_MAX_SCORES = 2**25
"""Scores held at once, 128 MiB of them; without a limit, memory grows with the catalogue."""


@dataclass(frozen=True, kw_only=True)
class RankingResult:
    """Holds the figures of each reviewer, and the top lists behind them.

    Attributes:
        reviewer_rows: int64 [n], reviewers with a held-out like, ascending.
        figures: by name, such as "ndcg@10", float64 [n].
        top: int32 [n, max k], movie rows, best first; -1 where fewer movies were left.
    """

    reviewer_rows: Rows
    figures: Mapping[str, Doubles]
    top: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.reviewer_rows)

    def mean(self) -> dict[str, float]:
        """Returns each figure's mean over reviewers; not a number where there are none."""
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
    """Ranks every movie that a reviewer has not seen, and finds their held-out likes in the ranking.

    The movies of training reviews are left out, and equal scores are ordered by movie row. A like of a movie
    that nobody reviewed in training counts, though most models cannot find it. A like of a movie that its
    reviewer has in training does not count. A reviewer is ranked only if a held-out like is among the movies
    that are ranked.

    Args:
        score: gives the scores of all movies for a batch of reviewer rows.
        train: what each reviewer is known to have reviewed.
        liked: held-out likes.
        k: lengths of the top lists that are judged.
        batch: reviewers scored at once at most; fewer where the catalogue is large.
        max_reviewers: size of a random sample that is ranked; by default all reviewers are.
        seed: decides the sample.
        candidates: int64 [num_pairs], ascending, `reviewer_row * num_movies + movie_row`; where they are
            given only these movies are ranked, and only reviewers who have some.
        top: gives the same lists as the scores would, in less time; not asked where candidates are given.

    Raises:
        TrainingError: a score is not a number.
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


def top_of(model: Model) -> Top:
    """Makes the argument `top` of `rank_held_out` from a trained model.

    The lists leave out the movies of the histories.

    The result raises TrainingError where a score is not a number.
    """

    def top(reviewer_rows: Rows, k: int) -> NDArray[np.integer]:
        lists = exhaustive_lists(model, reviewer_rows, k)
        _check_numbers(lists.scores)
        return lists.movie_rows

    return top


def top_movies(
    scores: Floats, seen: Reviews, reviewer_rows: NDArray[np.integer], k: int
) -> NDArray[np.int32]:
    """Lists each reviewer's k best unseen movies, equal scores by row: int32 [n, k], -1 where none is left.

    `scores` are float32 [n, num_movies]; minus infinity rules a movie out, as does a review in `seen`.

    Raises:
        TrainingError: a score is not a number.
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
    """Returns reviewer and movie of each review as one number, `reviewer_row * num_movies + movie_row`."""
    return reviews.reviewer_rows.astype(np.int64) * reviews.num_movies + reviews.movie_rows


def _check_numbers(scores: Floats) -> None:
    if np.isnan(scores).any():
        raise TrainingError(
            "Some scores are not a number; the model has diverged, so train it with a lower learning rate"
        )


def _among(candidates: Rows | None, scores: Floats, reviewer_rows: Rows) -> Floats:
    """Excludes all movies but the given candidates; excludes none if no candidates are given."""
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
