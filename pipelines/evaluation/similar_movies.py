"""Compares lists of similar movies with links in metadata, held-out reviews, series and categories.

A movie's list of similar movies should hold the movies to which the movie's metadata links, for example by
"also bought". If a movie is the last movie in a reviewer's training reviews, the movie's list of similar
movies should hold the movies of the reviewer's held-out reviews. A movie's list of similar movies should
begin with sequels of the movie, and hold few movies without a category in common with the movie.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Rows
from engine.model.scorer import Model
from engine.model.similar import SimilarTable
from engine.relations.similar_movies import similar_rows
from indexes.base import VectorIndex
from indexes.choose import build_vector_index
from pipelines.evaluation.protocols import Fold
from pipelines.measuring.significance import paired_test
from pipelines.similar.evidence import Evidence
from pipelines.similar.learning import are_learned
from pipelines.similar.likeness import Weights, similar_table
from pipelines.similar.traits import Traits

Pairs = NDArray[np.int64]
"""Pairs of a question and a right answer, int64 [num_pairs, 2]. A question asks for a list of movies that are
similar to one movie; a right answer is a movie that the list should contain. The first column holds the
number of the question, and the second column holds the row of the right answer."""

K = 10
"""The number of movies in each measured list of similar movies."""
MAX_QUESTIONS = 2000
"""The largest number of lists of similar movies whose recall is measured on a fold; more lists would hardly
change the mean recall."""


FIRST = 5
"""A film's sequel should be among this number of first movies in the film's list of similar movies."""
REVIEW_GROUPS = {"50 and more": (50, 2**62), "10-49": (10, 49), "4-9": (4, 9), "2-3": (2, 3)}
"""The groups of movies by number of reviews. The key is the name of a group; the value is the smallest and
the largest number of reviews of a movie in the group."""
_NOTHING = 1e-6
"""Two movies count as having no common category if the inner product of the movies' category vectors is at
most this number."""


class Compared(NamedTuple):
    """Holds the recalls of the engine's lists of similar movies, and of co-review lists: float64 [num_lists].

    The co-review list of a movie is a simple list for comparison: the movie's strongest neighbours in the
    table `Model.neighbours`. Two movies are strong neighbours in the table `Model.neighbours` if many
    reviewers reviewed both movies.
    """

    engine: Doubles
    co_review: Doubles


class SimilarLists(NamedTuple):
    """Makes lists of similar movies with a model that an evaluation has trained."""

    model: Model
    vector_index: VectorIndex
    table: SimilarTable

    @classmethod
    def of(cls, model: Model, weights: Weights, traits: Traits) -> SimilarLists:
        """Builds a vector index and a table of similar movies from a model and the metadata of movies."""
        vectors = model.relevance.movie_vectors
        index, _ = build_vector_index(vectors, vectors[:1], kind="flat")
        return cls(model, index, similar_table(Evidence(model, traits), weights))

    def top(self, movie_row: int, k: int = K) -> Rows:
        """Returns the rows of the k movies most similar to a movie, in descending order of similarity."""
        return similar_rows(self.model, self.vector_index, self.table, movie_row, k).rows


def measure_similar(lists: SimilarLists, fold: Fold, links: Pairs, *, seed: int) -> dict[str, Compared]:
    """Measures the recalls of the engine's lists of similar movies, and of co-review lists for comparison.

    The returned dictionary has the keys "links" and "held_out". Under the key "links" are the recalls of
    lists for movies whose metadata links to other movies, such as by "also bought". The right answers for
    such a list are the linked movies. A link from one movie to another is used only if both movies have
    training reviews. Links for which `are_learned` returns True are not used, because the engine learned from
    these links. Under the key "held_out" are the recalls of lists for movies that are the last movie in a
    reviewer's training reviews. The right answers for such a list are the movies of the reviewer's test
    reviews.

    The key "links" is missing if metadata has no link that can be used for measuring. The key "held_out" is
    missing if no reviewer has both training reviews and test reviews. The recall of a list is `right answers
    in the list / min(K, all right answers)`. If there are more than MAX_QUESTIONS lists under a key, the
    recalls of MAX_QUESTIONS randomly chosen lists are returned.
    """
    known = fold.train.movie_counts() > 0
    links = links[~are_learned(links)]
    links = links[known[links].all(axis=1)]
    offsets = fold.train.offsets()
    asked = np.diff(offsets)[fold.test.reviewer_rows] > 0
    held_out = np.stack([fold.test.reviewer_rows[asked], fold.test.movie_rows[asked]], axis=1)

    def by_co_review(movie_row: int) -> Rows:
        rows, weights = lists.model.neighbours.of(movie_row)
        return rows[np.lexsort((rows, -weights))[:K]].astype(np.int64)

    questions: dict[str, tuple[Pairs, NDArray[np.integer]]] = {
        "links": (links, np.arange(fold.train.num_movies)),
        "held_out": (held_out.astype(np.int64), fold.train.movie_rows[offsets[1:] - 1]),
    }
    return {
        name: Compared(*(_recalls(answer, pairs, movie_rows, seed) for answer in (lists.top, by_co_review)))
        for name, (pairs, movie_rows) in questions.items()
        if len(pairs)
    }


class Looks(NamedTuple):
    """Holds how often lists of similar movies hold movies without a common category, and sequels."""

    without_common_category: dict[str, tuple[int, float, float]]
    """For each group of movies in REVIEW_GROUPS: the number of movies whose lists of similar movies were
    measured, and two mean shares, from 0 to 1. The mean share at position 1 of the tuple is the share of
    listed movies that have no category in common with the movie whose similar movies are listed. The mean
    share at position 2 is for comparison: the share of all movies with training reviews that have no category
    in common with the movie whose similar movies are listed."""
    series: tuple[int, int]
    """Two counts of pairs of successive films in a series: the number of all pairs, and the number of pairs
    in which each film is among the first FIRST movies of the other film's list."""


def measure_looks(lists: SimilarLists, traits: Traits) -> Looks:
    """Measures how often similar movies have no common category, and how often lists start with sequels."""
    counts = lists.model.histories.movie_counts(lists.model.num_movies)
    described = traits.categories.any(axis=1)
    shares: dict[str, tuple[int, float, float]] = {}
    for name, (least, most) in REVIEW_GROUPS.items():
        rows = np.flatnonzero((counts >= least) & (counts <= most) & described)
        if not len(rows):
            continue
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(MAX_QUESTIONS, len(rows))).astype(np.int64))]
        apart = [_share_apart(traits, row, lists.top(row)) for row in rows.tolist()]
        at_random = [_share_apart(traits, row, np.flatnonzero(counts)) for row in rows.tolist()]
        shares[name] = (len(rows), float(np.mean(apart)), float(np.mean(at_random)))
    pairs = [pair for pair in traits.neighbours_in_series() if counts[list(pair)].all()]
    firsts = {row: lists.top(row, FIRST) for pair in pairs for row in pair}
    found = sum(one in firsts[other] and other in firsts[one] for one, other in pairs)
    return Looks(shares, (len(pairs), int(found)))


def _share_apart(traits: Traits, movie_row: int, others: Rows) -> float:
    """Returns the fraction of the movies `others` that have no category in common with one given movie."""
    common = traits.categories[others] @ traits.categories[movie_row]
    return float((common <= _NOTHING).mean()) if len(others) else 0.0


def summarize_looks(folds: Sequence[Looks]) -> dict[str, Any]:
    """Averages the shares that `measure_looks` returned for each fold, and adds up the counts of sequels.

    The function returns an empty dictionary if the movies have no metadata.
    """
    shares: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(name for fold in folds for name in fold.without_common_category):
        rows = [fold.without_common_category[name] for fold in folds if name in fold.without_common_category]
        movies, share, at_random = (float(np.mean(column)) for column in zip(*rows, strict=True))
        shares[name] = {"movies": round(movies), "share": share, "random": at_random}
    pairs, found = (
        (sum(column) for column in zip(*(fold.series for fold in folds), strict=True)) if folds else (0, 0)
    )
    summary: dict[str, Any] = {"without_common_category": shares} if shares else {}
    return summary | ({"series": {"pairs": pairs, "found": found}} if pairs else {})


def summarize(folds: Sequence[Mapping[str, Compared]], *, seed: int) -> dict[str, Any]:
    """Compares the mean recall of the engine's lists with that of simple lists made from shared reviewers."""
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
    """Returns the recall of lists of similar movies, each of which answers a question: float64 [num_lists].

    A question asks for a list of movies that are similar to one movie. If `pairs` has more than MAX_QUESTIONS
    different questions, only MAX_QUESTIONS randomly chosen questions are answered.

    Args:
        answer: a function that takes the row of a movie, and returns the rows of the similar movies.
        pairs: the right answers, int64 [num_pairs, 2]; each row holds the number of a question, and the row
            of a movie that the answer to the question should contain.
        movie_rows: for each question, the row of the movie whose similar movies are asked for, int
            [num_questions].
        seed: the seed with which questions are chosen at random.
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
