"""How good similar movies are: recall of what metadata links, and of what a reviewer went on to review."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.model.scorer import Model
from engine.relations.similar_movies import similar_rows
from indexes.choose import build_index as build_vector_index
from pipelines.evaluation.protocols import Fold
from pipelines.measuring.significance import paired_test
from pipelines.work.database import run

if TYPE_CHECKING:
    import duckdb

Pairs = NDArray[np.int64]
"""int64 [num_pairs, 2]: a question, and a movie that is right for it."""

K = 10
"""Length of the lists."""
MAX_QUESTIONS = 2000
"""Questions asked in a fold; more would not move the figures."""
_TUNING_QUERIES = 200


class Compared(NamedTuple):
    """The recall of each question by the engine and by co-reviews alone."""

    engine: NDArray[np.float64]
    """float64 [num_questions]."""
    co_review: NDArray[np.float64]
    """float64 [num_questions]."""


def read_links(database: duckdb.DuckDBPyConnection) -> Pairs:
    """Reads which movies the metadata links, as pairs of movie rows; none where it says nothing of that."""
    columns = run(database, "tables/linked_movies").fetchnumpy()
    return np.stack(
        [np.asarray(columns[name], dtype=np.int64) for name in ("movie_row", "linked_row")], axis=1
    )


def measure_similar(model: Model, fold: Fold, links: Pairs, *, seed: int) -> dict[str, Compared]:
    """Measures the lists of similar movies against co-review similarities alone.

    "links": each movie is asked for, and right are the movies that the metadata links it to, among those that
    training has. "held_out": each reviewer's last training movie is asked for, and right are the movies of
    their held-out reviews. The recall is divided by the smaller of k and the number that is right.

    Args:
        model: trained on the fold's training reviews.
        fold: the reviews.
        links: pairs of movie rows; the model has not learned from them.
        seed: of the draw of the questions.
    """
    vectors = model.relevance.movie_vectors
    index, _ = build_vector_index(
        vectors, vectors[:_TUNING_QUERIES], kind="flat", k=min(_TUNING_QUERIES, len(vectors))
    )
    known = np.bincount(fold.train.movie_rows, minlength=fold.train.num_movies) > 0
    links = links[known[links].all(axis=1)]
    offsets = fold.train.offsets()
    asked = np.diff(offsets)[fold.test.reviewer_rows] > 0
    held_out = np.stack([fold.test.reviewer_rows[asked], fold.test.movie_rows[asked]], axis=1)

    def by_engine(movie_row: int) -> NDArray[np.int64]:
        return similar_rows(model, index, movie_row, K)[0]

    def by_co_review(movie_row: int) -> NDArray[np.int64]:
        rows, weights = model.neighbours.of(movie_row)
        return rows[np.lexsort((rows, -weights))[:K]].astype(np.int64)

    questions: dict[str, tuple[Pairs, Callable[[int], int]]] = {
        "links": (links, lambda movie_row: movie_row),
        "held_out": (
            held_out.astype(np.int64),
            lambda reviewer_row: int(fold.train.movie_rows[offsets[reviewer_row + 1] - 1]),
        ),
    }
    return {
        name: Compared(*(_recalls(answer, pairs, movie_of, seed) for answer in (by_engine, by_co_review)))
        for name, (pairs, movie_of) in questions.items()
        if len(pairs)
    }


def summarize(folds: Sequence[Mapping[str, Compared]], *, seed: int) -> dict[str, Any]:
    """The mean recalls over the questions of all folds, and how sure their difference is."""
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
    answer: Callable[[int], NDArray[np.int64]], pairs: Pairs, movie_of: Callable[[int], int], seed: int
) -> NDArray[np.float64]:
    """The recall of each question; at most MAX_QUESTIONS are drawn, the same for equal pairs and seeds."""
    pairs = np.unique(pairs, axis=0)
    questions, begins = np.unique(pairs[:, 0], return_index=True)
    right = np.split(pairs[:, 1], begins[1:])
    chosen = np.arange(len(questions))
    if len(chosen) > MAX_QUESTIONS:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(chosen))[:MAX_QUESTIONS])
    recalls = np.zeros(len(chosen))
    for place, number in enumerate(chosen):
        found = answer(movie_of(int(questions[number])))
        recalls[place] = np.isin(found, right[number]).sum() / min(K, len(right[number]))
    return recalls
