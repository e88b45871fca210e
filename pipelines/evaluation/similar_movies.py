"""Measures lists of similar movies: recall of linked movies, and of what a reviewer reviewed next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Rows
from engine.model.scorer import Model
from engine.relations.similar_movies import similar_rows
from indexes.choose import build_vector_index
from pipelines.evaluation.protocols import Fold
from pipelines.measuring.significance import paired_test
from pipelines.work.database import run

if TYPE_CHECKING:
    import duckdb

Pairs = NDArray[np.int64]
"""int64 [num_pairs, 2]: a question, and the row of a movie that is right for it."""

K = 10
"""The length of the lists."""
MAX_QUESTIONS = 2000
"""Questions asked in a fold; more would cost time and not move the figures."""


class Compared(NamedTuple):
    """Holds the recall of each question, float64 [num_questions], by the engine and by co-reviews alone."""

    engine: Doubles
    co_review: Doubles


def read_links(database: duckdb.DuckDBPyConnection) -> Pairs:
    """Reads which movies the metadata links, as pairs of movie rows; none without such metadata."""
    columns = run(database, "tables/linked_movies").fetchnumpy()
    pairs = [np.asarray(columns[name], dtype=np.int64) for name in ("movie_row", "linked_row")]
    return np.stack(pairs, axis=1)


def measure_similar(model: Model, fold: Fold, links: Pairs, *, seed: int) -> dict[str, Compared]:
    """Measures a model's lists of similar movies beside lists by co-review similarities alone.

    "links" asks for each movie; the movies that the metadata links it to are right, if training has them. The
    model has not learned from the links. "held_out" asks for each reviewer's last training movie; the movies
    of their test reviews are right. The recall is the number of right movies in the list, divided by the
    smaller of K and all right movies. The seed draws the questions.
    """
    vectors = model.relevance.movie_vectors
    index, _ = build_vector_index(vectors, vectors[:1], kind="flat")
    known = np.bincount(fold.train.movie_rows, minlength=fold.train.num_movies) > 0
    links = links[known[links].all(axis=1)]
    offsets = fold.train.offsets()
    asked = np.diff(offsets)[fold.test.reviewer_rows] > 0
    held_out = np.stack([fold.test.reviewer_rows[asked], fold.test.movie_rows[asked]], axis=1)

    def by_engine(movie_row: int) -> Rows:
        return similar_rows(model, index, movie_row, K)[0]

    def by_co_review(movie_row: int) -> Rows:
        rows, weights = model.neighbours.of(movie_row)
        return rows[np.lexsort((rows, -weights))[:K]].astype(np.int64)

    questions: dict[str, tuple[Pairs, NDArray[np.integer]]] = {
        "links": (links, np.arange(fold.train.num_movies)),
        "held_out": (held_out.astype(np.int64), fold.train.movie_rows[offsets[1:] - 1]),
    }
    return {
        name: Compared(*(_recalls(answer, pairs, movie_rows, seed) for answer in (by_engine, by_co_review)))
        for name, (pairs, movie_rows) in questions.items()
        if len(pairs)
    }


def summarize(folds: Sequence[Mapping[str, Compared]], *, seed: int) -> dict[str, Any]:
    """Averages the recalls over the questions of all folds, and tests their difference."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for fold in folds for name in fold):
        compared = [fold[name] for fold in folds if name in fold]
        engine = np.concatenate([recalls.engine for recalls in compared])
        co_review = np.concatenate([recalls.co_review for recalls in compared])
        found[name] = {
            "questions": len(engine),
            "ncf": {f"recall@{K}": float(engine.mean())},
            "co-review": {f"recall@{K}": float(co_review.mean())},
            "p_value": paired_test(engine, co_review, seed=seed),
        }
    return found


def _recalls(
    answer: Callable[[int], Rows], pairs: Pairs, movie_rows: NDArray[np.integer], seed: int
) -> Doubles:
    """Returns the recall of each question; draws MAX_QUESTIONS if there are more, the same for one seed.

    `movie_rows` has the movie that is asked for, by question.
    """
    pairs = np.unique(pairs, axis=0)
    questions, begins = np.unique(pairs[:, 0], return_index=True)
    right = np.split(pairs[:, 1], begins[1:])
    chosen = np.arange(len(questions))
    if len(chosen) > MAX_QUESTIONS:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(chosen))[:MAX_QUESTIONS])
    recalls = np.zeros(len(chosen))
    for place, number in enumerate(chosen):
        found = answer(int(movie_rows[questions[number]]))
        recalls[place] = np.isin(found, right[number]).sum() / min(K, len(right[number]))
    return recalls
