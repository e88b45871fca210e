"""Learns the weights of the parts of a likeness from held-out reviews, links of metadata and series."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows, distinct, k_highest_of_rows, spans
from engine.model.scorer import Model
from pipelines.dataset.reviews import Reviews
from pipelines.similar.evidence import Evidence, units
from pipelines.similar.likeness import Weights
from pipelines.similar.traits import Traits

logger = logging.getLogger(__name__)

K = 10
"""The length of the lists whose quality is measured."""
NUM_PARTS = 5
"""The number of parts whose weights are drawn: all fields of `Weights` but `series` and `shrinkage`."""
_MAX_QUESTIONS = 1000
"""The largest number of questions of each kind; more questions would change the weights little."""
_LAST_ASKED = 3
"""The number of a reviewer's last training reviews for which lists are made."""
_POOL = 100
"""The number of movies that each part adds to the candidates of a question; the movies that one weighted sum
ranks highest are nearly always among them."""
_ROUNDS, _DRAWS, _ELITE = 3, 150, 20
"""The rounds of the search, the weights that are drawn in each round, and how many of the best of them say
where the next round draws."""
_SERIES = (0.0, 0.1, 0.2, 0.4, 0.8)
"""The weights of a common series that are tried."""
_PENALTY = 20.0
"""How much more it costs to find fewer held-out movies than lists by reviewers in common alone do."""
_LEAST = 1e-6
"""A number that is added to figures, so that their logarithms are finite."""
_LAST = -1e6
"""A part of the likeness that puts the places without a candidate last."""
_SHRINKAGES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""The shrinkages that are drawn."""


class _Questions(NamedTuple):
    """Holds questions for the movies most like a movie, with the right answers."""

    movie_rows: Rows
    """int64 [num_questions], the movie of each question."""
    numbers: Rows
    """int64 [num_answers], the question of each right answer, ascending."""
    answers: Rows
    """int64 [num_answers], the row of each right answer."""


class _Pools(NamedTuple):
    """Holds the candidates of each movie that questions ask about, and the parts of their likeness."""

    movie_rows: Rows
    """int64 [num_movies], ascending, the movies that questions ask about."""
    candidates: Rows
    """int64 [num_movies, num_candidates], the rows of the candidates; the movie itself where there are
    fewer."""
    parts: dict[float, Floats]
    """float32 [num_movies, num_candidates, NUM_PARTS] for each shrinkage."""
    series: Floats
    """float32 [num_movies, num_candidates], how near a candidate of the movie's series is; 0 for others."""


def choose_weights(model: Model, held_out: Reviews, traits: Traits, seed: int) -> Weights:
    """Chooses the weights with which the parts of the likeness of two movies are added up.

    The weights answer two kinds of questions, each judged by the mean NDCG@10. The right answers for one of a
    reviewer's last training movies are the movies of the reviewer's held-out reviews. The right answers for a
    movie that metadata links to others, or that is part of a series, are the linked movies and the movies of
    the series. The product of the two figures is maximised, so that one per cent less of one figure must be
    paid for by one per cent more of the other. Lists that find fewer held-out movies than lists by reviewers
    in common alone are avoided, with one standard error to spare. The part
    `series` does not count while the other weights are chosen, because it would answer most questions of the
    second kind alone.

    The search is a cross-entropy method (Rubinstein, "The cross-entropy method for combinatorial and
    continuous optimization", 1999): weights are drawn at random, and the next draws are like the best ones.
    The mean of the best weights is returned, because single weights do well by chance.

    Args:
        model: a model that was not trained on `held_out`.
        held_out: later reviews of the model's reviewers.
        traits: what metadata says of the model's movies.
        seed: the seed of the draws.
    """
    generator = np.random.default_rng(seed)
    co_reviews, linked = _co_reviews(model, held_out, generator), _linked(traits, model, generator)
    kinds = [kind for kind in (co_reviews, linked) if len(kind.answers)]
    if not kinds:
        return Weights()
    pools = _collect(Evidence(model, traits), kinds)
    enough = _least_found(pools, kinds[0], model) if len(co_reviews.answers) else 0.0

    def value(weights: Doubles, shrinkage: int, series: float) -> float:
        best = _lists(pools, weights, shrinkage, series)
        figures = np.array([_ndcg(best, pools.movie_rows, kind).mean() for kind in kinds])
        too_few = max(0.0, np.log((enough + _LEAST) / (figures[0] + _LEAST)))
        return float(np.log(figures + _LEAST).sum() - _PENALTY * too_few)

    concentration = np.full(NUM_PARTS, 0.8)
    best: list[tuple[float, Doubles, int]] = []
    shares = np.full(len(_SHRINKAGES), 1 / len(_SHRINKAGES))
    for _ in range(_ROUNDS):
        drawn = [
            (generator.dirichlet(concentration), int(generator.choice(len(_SHRINKAGES), p=shares)))
            for _ in range(_DRAWS)
        ]
        tried = [(value(weights, place, 0.0), weights, place) for weights, place in drawn]
        best = sorted([*best, *tried], key=lambda each: -each[0])[:_ELITE]
        middle = np.mean([weights for _, weights, _ in best], axis=0)
        concentration = np.maximum(middle * 30.0, 0.05)
        counts = np.bincount([place for _, _, place in best], minlength=len(_SHRINKAGES))
        shares = (counts + 0.5) / (counts + 0.5).sum()
    place = round(float(np.mean([place for _, _, place in best])))
    figures = [value(middle, place, series) for series in _SERIES]
    # Of equally good weights, the smallest is chosen.
    series = _SERIES[int(np.argmax(np.array(figures) > max(figures) - 1e-9))]
    names = ("sittings", "likes", "vectors", "categories", "words")
    found = Weights(
        **dict(zip(names, map(float, middle), strict=True)), series=series, shrinkage=_SHRINKAGES[place]
    )
    named = ", ".join(f"{name} {number:.2f}" for name, number in vars(found).items())
    logger.info("Chose how alike movies are: %s", named)
    return found


def _co_reviews(model: Model, held_out: Reviews, generator: np.random.Generator) -> _Questions:
    """Asks for each reviewer's held-out movies, with each of the reviewer's last training movies."""
    offsets, movie_rows = model.histories.offsets, model.histories.movie_rows
    reviewers = distinct(held_out.reviewer_rows)
    reviewers = reviewers[np.diff(offsets)[reviewers] > 0].astype(np.int64)
    reviewers = np.sort(generator.permutation(reviewers)[:_MAX_QUESTIONS])
    num_asked = np.minimum(np.diff(offsets)[reviewers], _LAST_ASKED)
    asked = spans(offsets[reviewers + 1] - num_asked, num_asked)
    known = np.flatnonzero(np.isin(held_out.reviewer_rows, reviewers))
    known = known[np.argsort(held_out.reviewer_rows[known], kind="stable")]
    lengths = np.bincount(np.searchsorted(reviewers, held_out.reviewer_rows[known]), minlength=len(reviewers))
    begins = np.cumsum(lengths) - lengths
    # Every question of a reviewer has the same answers: all of the reviewer's held-out movies.
    owners = np.repeat(np.arange(len(reviewers)), num_asked)
    places = known[spans(begins[owners], lengths[owners])]
    return _Questions(
        movie_rows[asked].astype(np.int64),
        np.repeat(np.arange(len(asked)), lengths[owners]),
        held_out.movie_rows[places].astype(np.int64),
    )


def _linked(traits: Traits, model: Model, generator: np.random.Generator) -> _Questions:
    """Makes questions whose answers are movies of the same series, or movies that metadata links."""
    reviewed = model.histories.movie_counts(model.num_movies) > 0
    in_series = np.flatnonzero((traits.series >= 0) & reviewed)
    links = traits.links[reviewed[traits.links].all(axis=1)]
    rows = generator.permutation(distinct(np.concatenate([in_series, links[:, 0]])))[:_MAX_QUESTIONS]
    asked: list[int] = []
    numbers, answers = [], []
    for row in np.sort(rows).tolist():
        of_series = traits.of_one_series(row)
        right = distinct(np.concatenate([of_series[reviewed[of_series]], links[links[:, 0] == row, 1]]))
        if len(right):
            numbers.append(np.full(len(right), len(asked)))
            answers.append(right)
            asked.append(row)
    if not asked:
        nothing = np.zeros(0, dtype=np.int64)
        return _Questions(nothing, nothing, nothing)
    return _Questions(np.array(asked), np.concatenate(numbers), np.concatenate(answers))


def _collect(evidence: Evidence, kinds: list[_Questions]) -> _Pools:
    """Computes the candidates of all movies that questions ask about, and the parts of their likeness."""
    movie_rows = distinct(np.concatenate([kind.movie_rows for kind in kinds]))
    traits, found = evidence.traits, []
    for row in movie_rows.tolist():
        own = np.array([row])
        pairs = [each.tocsr() for each in evidence.pairs(own)]
        vectors = [each @ each[row] for each in (evidence.vectors, traits.categories, traits.words)]
        of_series = traits.of_one_series(row)
        best = [each.indices[k_highest_of_rows(each.data[None, :], _POOL)[0]] for each in pairs]
        best += [k_highest_of_rows(each[None, :], _POOL)[0] for each in vectors]
        candidates = distinct(np.concatenate([*best, of_series]).astype(np.int64))
        candidates = candidates[candidates != row]
        together = [(each.toarray()[0, candidates], units(each)[0]) for each in pairs]
        columns = [each[candidates] for each in vectors]
        nearness = np.zeros(len(candidates), dtype=np.float32)
        nearness[np.searchsorted(candidates, of_series)] = traits.nearness_in_series(row, of_series)
        found.append((candidates, together, columns, nearness))
    width = max(len(candidates) for candidates, *_ in found)
    rows = np.repeat(movie_rows[:, None], width, axis=1)
    series = np.zeros(rows.shape, dtype=np.float32)
    parts = {one: np.zeros((*rows.shape, NUM_PARTS), dtype=np.float32) for one in _SHRINKAGES}
    for place, (candidates, together, columns, nearness) in enumerate(found):
        num = len(candidates)
        rows[place, :num], series[place, :num] = candidates, nearness
        for shrinkage, values in parts.items():
            scaled = [(own / (unit + shrinkage)).astype(np.float32) for own, unit in together]
            values[place, :num] = np.stack([*scaled, *columns], axis=1)
            values[place, num:] = _LAST
    return _Pools(movie_rows, rows, parts, series)


def _lists(pools: _Pools, weights: Doubles, shrinkage: int, series: float) -> Rows:
    """Returns the movies most like each movie of the pools with some weights: int64 [num_movies, K]."""
    scores = pools.parts[_SHRINKAGES[shrinkage]] @ weights.astype(np.float32)
    scores += np.float32(series) * pools.series
    return np.take_along_axis(pools.candidates, k_highest_of_rows(scores, K), axis=1)


def _least_found(pools: _Pools, co_reviews: _Questions, model: Model) -> float:
    """Returns the NDCG@10 of lists by reviewers in common alone, plus the standard error of a difference."""
    plain = np.repeat(pools.movie_rows[:, None], K, axis=1)
    for place, row in enumerate(pools.movie_rows.tolist()):
        rows, weights = model.neighbours.of(row)
        best = rows[np.lexsort((rows, -weights))[:K]]
        plain[place, : len(best)] = best
    even = _lists(pools, np.full(NUM_PARTS, 1 / NUM_PARTS), len(_SHRINKAGES) // 2, 0.0)
    found = _ndcg(plain, pools.movie_rows, co_reviews)
    apart = found - _ndcg(even, pools.movie_rows, co_reviews)
    return float(found.mean() + apart.std() / np.sqrt(len(apart)))


def _ndcg(best: Rows, movie_rows: Rows, kind: _Questions) -> Doubles:
    """Returns the NDCG@10 of the lists `best`, int64 [num_movies, K], for each question of one kind."""
    lists = best[np.searchsorted(movie_rows, kind.movie_rows)]  # [num_questions, K]
    most = int(max(best.max(), kind.answers.max())) + 1
    numbers = np.arange(len(lists))[:, None]
    hits = np.isin(numbers * most + lists, kind.numbers * most + kind.answers)
    gains = 1 / np.log2(np.arange(2, lists.shape[1] + 2))
    ideal = np.cumsum(gains)[np.minimum(np.bincount(kind.numbers, minlength=len(lists)), len(gains)) - 1]
    return np.asarray((hits * gains).sum(axis=1) / ideal, dtype=np.float64)


def are_learned(links: Rows) -> NDArray[np.bool_]:
    """Marks the links from which an evaluation learns; the others measure.

    Two movies that are linked in both directions are on one side, since one link tells the other.
    """
    return np.asarray(links.min(axis=1) % 2 == 0) if len(links) else np.zeros(0, dtype=bool)
