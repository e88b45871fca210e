"""Measures the recall of lists of similar movies: how many linked or held-out movies the lists contain."""

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
"""An array, int64 [num_pairs, 2], whose rows hold the number of a question and the row of a movie that is a
right answer."""

K = 10
"""The number of movies in each measured list of similar movies."""
MAX_QUESTIONS = 2000
"""The largest number of lists of similar movies that are measured in a fold; more lists would hardly change
the recall."""


class Compared(NamedTuple):
    """Holds the recall of the engine's lists, and of co-review lists: two arrays, float64 [num_lists].

    A co-review list ranks movies by the number of reviewers who reviewed both the listed movie and the given
    movie.
    """

    engine: Doubles
    co_review: Doubles


def read_links(database: duckdb.DuckDBPyConnection) -> Pairs:
    """Reads the pairs of movies that metadata links ("also bought"), as movie rows: int64 [num_pairs, 2]."""
    columns = run(database, "tables/linked_movies").fetchnumpy()
    pairs = [np.asarray(columns[name], dtype=np.int64) for name in ("movie_row", "linked_row")]
    return np.stack(pairs, axis=1)


def measure_similar(model: Model, fold: Fold, links: Pairs, *, seed: int) -> dict[str, Compared]:
    """Measures the recall of a model's lists of similar movies, and of co-review lists for comparison.

    The result has the entries "links" and "held_out". For "links", a list is made for each movie that
    metadata links to other movies. The right answers of "links" are the linked movies that have training
    reviews. The model has not learned from the links in the metadata. For "held_out", a list is made for the
    last movie in each reviewer's training reviews. The right answers of "held_out" are the movies of the
    reviewer's test reviews. The recall of a list is `right answers in the list / min(K, all right answers)`.
    If more than MAX_QUESTIONS lists could be measured, a random sample of lists is measured.
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
    """Averages the recalls of the engine's lists and of the co-review lists, and tests the difference."""
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
    """Returns the recall of each question's list of similar movies, for a sample of MAX_QUESTIONS questions.

    A question asks for the movies that are similar to one movie.

    Args:
        answer: returns the rows of the movies that are similar to the movie with a given row.
        pairs: pairs of a question and a right answer.
        movie_rows: the row of the movie of each question, int [num_questions].
        seed: the seed of the sample of questions.
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
