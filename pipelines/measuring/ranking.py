"""Ranking the whole catalogue for reviewers, and how high it puts the movies that they went on to like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import TrainingError
from engine.model.scorer import Model
from engine.search.top_lists import exhaustive_lists
from pipelines.dataset.reviews import Reviews
from pipelines.measuring import metrics

Score = Callable[[NDArray[np.int64]], NDArray[np.float32]]
"""Gives float32 [n, num_movies] for reviewer rows, int64 [n]; higher is better."""

Top = Callable[[NDArray[np.int64], int], NDArray[np.integer]]
"""Gives the k best unseen movies, int [n, k], for reviewer rows, int64 [n], and k; -1 where none is left."""

_MAX_SCORES = 2**25
"""Scores held at once, 128 MiB of them, whatever the size of the catalogue."""


@dataclass(frozen=True, kw_only=True)
class RankingResult:
    """Figures a reviewer, and the top lists behind them.

    Attributes:
        reviewer_rows: int64 [n], those who have something relevant, ascending.
        figures: by name, such as "ndcg@10", float64 [n].
        top: int32 [n, max k], movie rows, best first; -1 where fewer movies were left.
    """

    reviewer_rows: NDArray[np.int64]
    figures: Mapping[str, NDArray[np.float64]]
    top: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.reviewer_rows)

    def mean(self) -> dict[str, float]:
        """Each figure's mean over reviewers; not a number where there are none."""
        return {
            name: float(values.mean()) if len(self) else float("nan") for name, values in self.figures.items()
        }


def rank_held_out(
    score: Score,
    seen: Reviews,
    relevant: Reviews,
    *,
    k: Sequence[int] = (10, 20),
    batch: int = 512,
    max_reviewers: int | None = None,
    seed: int = 42,
    candidates: NDArray[np.int64] | None = None,
    top: Top | None = None,
) -> RankingResult:
    """Ranks every movie that a reviewer has not seen, and compares with what is relevant to them.

    Seen movies are left out, and equal scores are ordered by movie row. A relevant movie that nobody reviewed
    in training counts all the same, though most models cannot find it; one that the reviewer has seen does
    not. Only reviewers to whom something is relevant are ranked.

    Args:
        score: gives the scores of all movies for a batch of reviewer rows.
        seen: what each reviewer is known to have reviewed.
        relevant: held-out reviews, the likes alone.
        k: lengths of the top lists that are judged.
        batch: reviewers scored at once at most; fewer where the catalogue is large.
        max_reviewers: a random sample of so many is ranked; by default all.
        seed: of that sample.
        candidates: int64 [num_pairs], ascending, `reviewer_row * num_movies + movie_row`; where they are
            given only these movies are ranked, and only reviewers who have some.
        top: gives the same lists as the scores would, in less time; not asked where candidates are given.

    Raises:
        TrainingError: a score is not a number.
    """
    depth = max(k)
    wanted = _unseen_keys(relevant, seen)
    counts = np.bincount(wanted // max(seen.num_movies, 1), minlength=seen.num_reviewers)
    rows = np.flatnonzero(counts)
    if candidates is not None:
        rows = np.intersect1d(rows, candidates // max(seen.num_movies, 1))
    rows = _sample(rows, max_reviewers, seed)
    batch = max(1, min(batch, _MAX_SCORES // max(seen.num_movies, 1)))
    if top is not None and candidates is None:
        listed = top(rows, depth).astype(np.int32)
    else:
        lists = [
            top_movies(_among(candidates, score(chunk), chunk), seen, chunk, depth)
            for chunk in (rows[start : start + batch] for start in range(0, len(rows), batch))
        ]
        listed = np.concatenate(lists) if lists else np.zeros((0, depth), dtype=np.int32)
    hits = _contains(wanted, rows[:, None] * seen.num_movies + listed) & (listed >= 0)  # [n, depth]
    return RankingResult(reviewer_rows=rows, figures=dict(_figures(hits, counts[rows], k)), top=listed)


def top_of(model: Model) -> Top:
    """The lists of a trained model, for `rank_held_out`; what it was trained on counts as seen.

    Raises:
        TrainingError: when it is asked, a score is not a number.
    """

    def top(reviewer_rows: NDArray[np.int64], k: int) -> NDArray[np.integer]:
        lists = exhaustive_lists(model, reviewer_rows, k)
        _check_numbers(lists.scores)
        return lists.movie_rows

    return top


def top_movies(
    scores: NDArray[np.float32], seen: Reviews, reviewer_rows: NDArray[np.integer], k: int
) -> NDArray[np.int32]:
    """The k best unseen movies of each reviewer, equal scores by row: int32 [n, k], -1 where none is left.

    Args:
        scores: float32 [n, num_movies]; minus infinity rules a movie out.
        seen: whose movies are left out.
        reviewer_rows: int [n], whose scores they are.
        k: how many.

    Raises:
        TrainingError: a score is not a number.
    """
    _check_numbers(scores)
    open_scores = np.array(scores, dtype=np.float32)
    places, movies = _slices(seen, reviewer_rows)
    open_scores[places, movies] = -np.inf
    width = min(k, open_scores.shape[1])
    top = np.full((len(open_scores), k), -1, dtype=np.int32)
    if width:
        best = _best_columns(open_scores, width)  # [n, width]
        found = np.take_along_axis(open_scores, best, axis=1)
        top[:, :width] = np.where(np.isneginf(found), -1, best)
    return top


def _check_numbers(scores: NDArray[np.float32]) -> None:
    if np.isnan(scores).any():
        raise TrainingError(
            "Some scores are not a number; the model has diverged, so train it with a lower learning rate"
        )


def _among(
    candidates: NDArray[np.int64] | None, scores: NDArray[np.float32], reviewer_rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The scores of the candidates; all others are ruled out."""
    if candidates is None:
        return scores
    num_movies = scores.shape[1]
    kept = np.full(scores.shape, -np.inf, dtype=np.float32)
    edges = np.searchsorted(candidates, np.stack([reviewer_rows, reviewer_rows + 1]) * num_movies)
    for place, (begin, end) in enumerate(edges.T):
        movies = candidates[begin:end] - reviewer_rows[place] * num_movies
        kept[place, movies] = scores[place, movies]
    return kept


def _best_columns(scores: NDArray[np.float32], width: int) -> NDArray[np.int64]:
    """Positions of the highest values, best first, equal ones by position: int64 [n, width]."""
    columns = scores.shape[1]
    last = np.partition(scores, columns - width, axis=1)[:, columns - width, None]  # [n, 1]
    above, level = scores > last, scores == last
    spare = width - above.sum(axis=1)
    # Partitioning picks any of the equal scores; the total order wants the first ones.
    crowded = np.flatnonzero(level.sum(axis=1) > spare)
    level[crowded] &= np.cumsum(level[crowded], axis=1, dtype=np.int32) <= spare[crowded, None]
    chosen = np.nonzero(above | level)[1].reshape(len(scores), width)
    order = np.argsort(-np.take_along_axis(scores, chosen, axis=1), axis=1, kind="stable")
    return np.take_along_axis(chosen, order, axis=1)


def _slices(
    reviews: Reviews, reviewer_rows: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The movies of some reviewers: positions in `reviewer_rows`, and movie rows."""
    offsets = reviews.offsets()
    begins, ends = offsets[reviewer_rows], offsets[np.asarray(reviewer_rows) + 1]
    counts = ends - begins
    places = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return places, reviews.movie_rows[begins[places] + within]


def _unseen_keys(relevant: Reviews, seen: Reviews) -> NDArray[np.int64]:
    """Reviewer and movie of each relevant pair as one number, ascending, without pairs that were seen."""
    return np.setdiff1d(_keys(relevant), _keys(seen))


def _keys(reviews: Reviews) -> NDArray[np.int64]:
    return reviews.reviewer_rows.astype(np.int64) * reviews.num_movies + reviews.movie_rows


def _contains(ascending: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.bool_]:
    if not len(ascending):
        return np.zeros(values.shape, dtype=bool)
    places = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    found: NDArray[np.bool_] = ascending[places] == values
    return found


def _sample(rows: NDArray[np.int64], max_reviewers: int | None, seed: int) -> NDArray[np.int64]:
    if max_reviewers is None or len(rows) <= max_reviewers:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, max_reviewers, replace=False))


def _figures(
    hits: NDArray[np.bool_], num_relevant: NDArray[np.int64], lengths: Sequence[int]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    for length in lengths:
        front = hits[:, :length]
        yield f"ndcg@{length}", metrics.ndcg(front, num_relevant)
        yield f"recall@{length}", metrics.recall(front, num_relevant)
        yield f"hit_rate@{length}", metrics.hit_rate(front)
        yield f"mrr@{length}", metrics.reciprocal_rank(front)
