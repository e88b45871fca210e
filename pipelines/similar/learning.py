"""Learns the weight of each kind of similarity of movies, from held-out reviews and from movies' metadata."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows, distinct, k_highest_of_rows, spans
from engine.model.scorer import Model
from pipelines.dataset.reviews import Reviews
from pipelines.measuring.metrics import discounts
from pipelines.similar.evidence import Evidence, units
from pipelines.similar.likeness import Weights
from pipelines.similar.traits import Traits

logger = logging.getLogger(__name__)

K = 10
"""The length of the lists of similar movies whose NDCG is measured."""
NUM_PARTS = 5
"""The number of kinds of similarity whose weights are drawn at random: all fields of `Weights` except
`series` and `shrinkage`."""
_COMPARED_AT_ONCE = 64
"""The number of movies that are compared with all movies at once."""
_MAX_QUESTIONS = 1000
"""The largest number of reviewers from whose reviews questions "which movies are most like this movie?" are
made; also the largest number of such questions that are made from metadata."""
_LAST_ASKED = 3
"""The largest number of questions "which movies are most like this movie?" about one reviewer's movies; the
questions are about the movies of the reviewer's latest training reviews."""
_POOL = 100
"""The number of candidates for a movie's most similar movies that each kind of similarity proposes. Each kind
of similarity proposes the movies with the highest similarity of the kind. The search of `choose_weights`
judges weights by the order into which the weights bring all candidates of a movie. With 100 candidates from
each kind of similarity, nearly all movies with the highest weighted sums of similarities are candidates."""
_ROUNDS, _DRAWS, _ELITE = 3, 150, 20
"""The number of rounds of the search for weights, the number of weight vectors that are drawn in each round,
and the number of best weight vectors around which the next round draws."""
_SERIES = (0.0, 0.1, 0.2, 0.4, 0.8)
"""The values that `choose_weights` tries for `Weights.series`, a number that is added to the similarity of
two movies of one series."""
_PENALTY = 20.0
"""The factor of the penalty that `choose_weights` gives to weights whose lists of similar movies find too few
movies of held-out reviews. The penalty is this factor times log(limit / mean NDCG@10 of the lists), with the
limit that `_least_found` returns. Lists with a mean NDCG@10 above the limit get no penalty."""
_LEAST = 1e-6
"""A small number that is added to NDCG values before logarithms are taken, because the logarithm of 0 is
infinite."""
_GAINS = discounts(K)
"""The gains of right answers at the positions of a list of K movies, float64 [K]."""
_LAST = -1e6
"""The similarity of unused positions in the array of candidates, so low that unused positions come last."""
_SHRINKAGES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""The values of `Weights.shrinkage` that the search may draw."""


class _Questions(NamedTuple):
    """Holds questions "which movies are most like this movie?", with the right answers."""

    movie_rows: Rows
    """int64 [num_questions], the row of the movie that each question asks about."""
    numbers: Rows
    """int64 [num_answers], ascending: for each right answer in `answers`, the number of the question to which
    the answer belongs. The number of a question is the question's position in `movie_rows`."""
    answers: Rows
    """int64 [num_answers], the rows of the movies that are right answers to the questions in `numbers`."""


class _Pools(NamedTuple):
    """Holds candidates for the most similar movies of each movie in `movie_rows`, and their similarities.

    The field `movie_rows` holds the movies that the questions in `_Questions` ask about. Each question asks
    "which movies are most like this movie?".
    """

    movie_rows: Rows
    """int64 [num_movies], ascending, the rows of the movies that questions ask about."""
    candidates: Rows
    """int64 [num_movies, num_candidates], the rows of the candidates for each movie in `movie_rows`; unused
    positions hold the row of the movie itself."""
    parts: dict[float, Floats]
    """Maps each value in _SHRINKAGES to similarities that are computed with the value as `Weights.shrinkage`.
    The similarities for one shrinkage are an array, float32 [num_movies, num_candidates, NUM_PARTS]:
    NUM_PARTS kinds of similarity between each movie in `movie_rows` and each of the movie's candidates."""
    series: Floats
    """float32 [num_movies, num_candidates], the nearness of each movie in `movie_rows` to each candidate of
    the same film series; 0 if the movie and the candidate are not of the same series. The nearness of two
    films of a series is 1 for films of the same year, and falls to 0.5 with the years between the films."""


def choose_weights(model: Model, held_out: Reviews, traits: Traits, seed: int) -> Weights:
    """Chooses the weights with which the kinds of similarity of two movies are added up.

    The weights are judged by questions "which movies are most like this movie?", which lists of similar
    movies answer. A question from reviews asks which movies are most like a movie of a reviewer's latest
    training reviews; the right answers are the movies of the same reviewer's held-out reviews. A question
    from metadata asks which movies are most like a movie with links in metadata, or a movie of a series; the
    right answers are the linked movies and the other movies of the series. The search maximises the product
    of two means: the mean NDCG@10 of lists that answer questions from reviews, and the mean NDCG@10 of lists
    that answer questions from metadata.

    Weights get a penalty if their lists answer the questions from reviews with a mean NDCG@10 below a limit.
    The function `_least_found` returns the limit: the mean NDCG@10 of lists that are made from shared
    reviewers alone, plus the standard error of a mean difference. The number `Weights.series`, which is added
    to the similarity of two movies of one series, is chosen after the weights of the kinds of similarity. The
    value of `Weights.series` is chosen last, because most questions from metadata ask about a movie of a
    series.

    The search is a cross-entropy method (Rubinstein, "The cross-entropy method for combinatorial and
    continuous optimization", 1999): weights are drawn at random, and later draws resemble the best weights so
    far. The mean of the best weights is returned, because a single best weight vector is often best by
    chance.

    Args:
        model: a model that was not trained on `held_out`.
        held_out: reviews of the model's reviewers that were left out of the training.
        traits: the categories, words, series and links of the model's movies.
        seed: the seed of the random draws.
    """
    generator = np.random.default_rng(seed)
    co_reviews, linked = _co_reviews(model, held_out, generator), _linked(traits, model, generator)
    kinds = [kind for kind in (co_reviews, linked) if len(kind.answers)]
    if not kinds:
        return Weights()
    pools = _collect(Evidence(model, traits), kinds)
    enough = _least_found(pools, kinds[0], model) if len(co_reviews.answers) else 0.0

    answered = [_answered(pools.candidates, pools.movie_rows, kind) for kind in kinds]

    def value(weights: Doubles, shrinkage: int, series: float) -> float:
        best = _best_places(pools, weights, shrinkage, series)
        figures = np.array([_ndcg_at(best, questions).mean() for questions in answered])
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
    # Of equally good weights of a common series, the smallest weight is chosen.
    series = _SERIES[int(np.argmax(np.array(figures) > max(figures) - 1e-9))]
    names = ("sittings", "likes", "vectors", "categories", "words")
    found = Weights(
        **dict(zip(names, map(float, middle), strict=True)), series=series, shrinkage=_SHRINKAGES[place]
    )
    named = ", ".join(f"{name} {number:.2f}" for name, number in vars(found).items())
    logger.info("Chose how alike movies are: %s", named)
    return found


def _co_reviews(model: Model, held_out: Reviews, generator: np.random.Generator) -> _Questions:
    """Makes questions "which movies are most like this movie?" from the latest reviews of reviewers.

    Each returned question asks which movies are most like a movie of a reviewer's latest training reviews.
    The right answers to a question about a reviewer's movie are the movies of the same reviewer's held-out
    reviews.
    """
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
    """Makes questions "which movies are most like this movie?" from series, and from links in metadata.

    The right answers to a question about a movie are the other movies of the movie's series, and the movies
    to which the movie's metadata links. Movies without training reviews are left out.
    """
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
    """Finds, for each movie that a question is about, candidates for the most similar movies.

    Returns the candidates for each movie, with the similarities of all kinds between the movie and the
    candidates. The argument `kinds` holds questions "which movies are most like this movie?": the questions
    that are made from reviews, and the questions that are made from metadata.
    """
    movie_rows = distinct(np.concatenate([kind.movie_rows for kind in kinds]))
    traits, found = evidence.traits, []
    compared = (
        one
        for begin in range(0, len(movie_rows), _COMPARED_AT_ONCE)
        for one in _compared(evidence, movie_rows[begin : begin + _COMPARED_AT_ONCE])
    )
    for row, (pairs, vectors) in zip(movie_rows.tolist(), compared, strict=True):
        of_series = traits.of_one_series(row)
        best = [near[k_highest_of_rows(values[None, :], _POOL)[0]] for near, values, _ in pairs]
        best += [k_highest_of_rows(each[None, :], _POOL)[0] for each in vectors]
        candidates = distinct(np.concatenate([*best, of_series]).astype(np.int64))
        candidates = candidates[candidates != row]
        together = []
        for near, values, unit in pairs:
            of_all = np.zeros(evidence.num_movies, dtype=np.float32)
            of_all[near] = values
            together.append((of_all[candidates], unit))
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


def _compared(
    evidence: Evidence, movie_rows: Rows
) -> Iterator[tuple[list[tuple[Rows, Floats, float]], list[Floats]]]:
    """Compares each movie in `movie_rows` with all movies; yields similarities from reviews, and cosines.

    Each movie in `movie_rows` gets two lists. The first list compares the movie with other movies by reviews:
    one tuple comes from `Pairs.sittings`, and one tuple from `Pairs.likes`. Each tuple of the first list
    holds the rows of other movies, the similarities of the other movies to the movie, and the mean of the ten
    highest similarities. The second list for a movie holds three arrays of cosines between the movie and
    every movie, each float32 [num_movies]: cosines of the model's movie vectors, of the movies' categories
    and of the movies' words.
    """
    traits = evidence.traits
    matrices = [each.tocsr() for each in evidence.pairs(movie_rows)]
    units_of_rows = [units(each) for each in matrices]
    of_vectors = [
        each[movie_rows] @ each.T for each in (evidence.vectors, traits.categories, traits.words)
    ]  # float32 [num_compared, num_movies]
    for row in range(len(movie_rows)):
        found = []
        for each, own in zip(matrices, units_of_rows, strict=True):
            part = slice(each.indptr[row], each.indptr[row + 1])
            found.append((each.indices[part], each.data[part], float(own[row])))
        yield found, [each[row] for each in of_vectors]


def _best_places(pools: _Pools, weights: Doubles, shrinkage: int, series: float) -> Rows:
    """Returns the positions of the K candidates most like each movie in `pools`: int64 [num_movies, K].

    The candidates of a movie are ranked by the weighted sum of their similarities to the movie. The argument
    `weights` holds the weight of each kind of similarity. The argument `shrinkage` is a position in
    _SHRINKAGES, and `series` is a value for `Weights.series`.
    """
    scores = pools.parts[_SHRINKAGES[shrinkage]] @ weights.astype(np.float32)
    scores += np.float32(series) * pools.series
    return k_highest_of_rows(scores, K)


def _least_found(pools: _Pools, co_reviews: _Questions, model: Model) -> float:
    """Returns the limit of the mean NDCG@10 below which `choose_weights` gives weights a penalty.

    Each question in `co_reviews` asks which movies are most like a movie; held-out reviews hold the right
    answers. The table `Model.neighbours` compares movies by shared reviewers alone. The limit is the mean
    NDCG@10 of lists from `Model.neighbours`, as answers to the questions in `co_reviews`, plus a standard
    error. For the standard error, each question in `co_reviews` is answered twice: with a list from
    `Model.neighbours`, and with a list of candidates, ranked with equal weights for all kinds of similarity.
    The standard error is that of the mean difference in NDCG@10, over all questions in `co_reviews`, between
    lists from `Model.neighbours` and lists with equal weights for all kinds of similarity.
    """
    plain = np.repeat(pools.movie_rows[:, None], K, axis=1)
    for place, row in enumerate(pools.movie_rows.tolist()):
        rows, weights = model.neighbours.of(row)
        best = rows[np.lexsort((rows, -weights))[:K]]
        plain[place, : len(best)] = best
    places = _best_places(pools, np.full(NUM_PARTS, 1 / NUM_PARTS), len(_SHRINKAGES) // 2, 0.0)
    even = np.take_along_axis(pools.candidates, places, axis=1)
    found = _ndcg(plain, pools.movie_rows, co_reviews)
    apart = found - _ndcg(even, pools.movie_rows, co_reviews)
    return float(found.mean() + apart.std() / np.sqrt(len(apart)))


class _Answered(NamedTuple):
    """Marks the right answers to questions "which movies are most like this movie?" in lists of movies.

    Each movie about which a question is asked has one list of similar movies. The questions come from one
    source: all questions are made from reviews, or all questions are made from metadata.
    """

    asked: Rows
    """int64 [num_questions], tells which list of similar movies answers each question: the list's position
    among all lists."""
    is_answer: NDArray[np.bool_]
    """bool [num_questions, num_listed], whether each movie of the question's list is a right answer."""
    ideal: Doubles
    """float64 [num_questions], the discounted gain of the best possible list."""


def _answered(listed: Rows, movie_rows: Rows, kind: _Questions) -> _Answered:
    """Finds out which movies in lists of similar movies are right answers to the questions in `kind`.

    Each question in `kind` asks which movies are most like a movie. The argument `listed`, int64 [num_movies,
    num_listed], holds a list of similar movies for each movie in `movie_rows`.
    """
    asked = np.searchsorted(movie_rows, kind.movie_rows)
    most = int(max(listed.max(), kind.answers.max())) + 1
    numbers = np.arange(len(asked))[:, None]
    is_answer = np.isin(numbers * most + listed[asked], kind.numbers * most + kind.answers)
    num_right = np.minimum(np.bincount(kind.numbers, minlength=len(asked)), K)
    return _Answered(asked, is_answer, np.cumsum(_GAINS)[num_right - 1])


def _ndcg_at(places: Rows, answered: _Answered) -> Doubles:
    """Returns the NDCG@10 of each question: float64 [num_questions].

    The argument `answered` holds lists of similar movies in which the right answers are marked. The argument
    `places`, int64 [num_movies, K], holds for each list in `answered` the positions of the K movies that rank
    highest, highest rank first.
    """
    hits = np.take_along_axis(answered.is_answer, places[answered.asked], axis=1)
    return np.asarray(hits @ _GAINS[: places.shape[1]] / answered.ideal, dtype=np.float64)


def _ndcg(best: Rows, movie_rows: Rows, kind: _Questions) -> Doubles:
    """Returns the NDCG@10 of the lists `best`, int64 [num_movies, K], for each question in `kind`."""
    in_order = np.tile(np.arange(best.shape[1]), (len(best), 1))
    return _ndcg_at(in_order, _answered(best, movie_rows, kind))


def are_learned(links: Rows) -> NDArray[np.bool_]:
    """Tells for each link in metadata whether an evaluation learns from the link or measures with the link.

    The argument `links`, int64 [num_links, 2], holds pairs of movie rows: the metadata of the first movie
    links to the second movie, such as by "also bought". The function returns bool [num_links]. The result is
    True for a link from which `choose_weights` learns the weights of the kinds of similarity. The result is
    False for a link with which an evaluation measures lists of similar movies. A link from one movie to
    another and the link back get the same result, so that an evaluation never measures with the reverse of a
    learned link.
    """
    return np.asarray(links.min(axis=1) % 2 == 0) if len(links) else np.zeros(0, dtype=bool)
