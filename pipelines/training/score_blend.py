"""Chooses on held-out reviews the neighbour table of a model and the weights of a score's components."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from engine.arrays import Doubles, Floats, k_highest_of_rows
from engine.model.values import Blend
from pipelines.dataset.reviews import Reviews
from pipelines.neighbours.tables import NeighbourKind
from pipelines.training.one_model import TrainedModel
from pipelines.training.parts import (
    Parts,
    collect,
    figure_of,
    figures_of,
    figures_of_grid,
    spread_of,
)

logger = logging.getLogger(__name__)

NEIGHBOUR_SHARES = (0.0, 0.05, 0.1, 0.2, 0.35, 0.6, 1.0, 1.7, 3.0, 6.0, 20.0)
"""The weights that `choose_blend` tries for similarities to a reviewer's history. With the weight 1, the
similarities to the reviewer's history and the relevance have the same standard deviation over the reviewer's
candidate movies."""
SUCCESSOR_SHARES = (0.0, 0.2, 0.6, 1.7, 6.0, 20.0)
"""The weights that `choose_blend` tries for the part of a score that comes from successors (movies that
reviewers often reviewed soon after another movie). With the weight 1, the part of the score from successors
and the relevance have the same standard deviation over a reviewer's candidate movies."""
LENGTH_POWERS = (1.0, 0.0)
"""The powers of a history's length by which `choose_blend` tries to divide sums of similarities. The power 1
gives the mean similarity to the history, and the power 0 gives the sum of similarities."""
LIKE_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0)
"""The weights that `choose_blend` tries, with each neighbour table, for the logarithm of the chance that the
reviewer likes a movie."""
HONEST_LIKE_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0)
"""The weights that `_honest_likes` tries for the logarithm of the chance that the reviewer likes a movie."""
DOUBTS = (0.0, 2.0, 4.0, 8.0)
"""The values that `_honest_likes` tries for `Blend.doubt`, which lowers the scores of movies that the
reviewer probably does not like. If the chance of a like is under one half, `doubt * log(2 * chance)` is added
to the logarithm of the chance of a like."""
MOST_DOUBTFUL = 0.07
"""The largest desired share, in top lists, of doubtful movies: movies whose chance of a like is under one
half. The function `_honest_likes` prefers values of `Blend.like_weight` and `Blend.doubt` with which at most
this share of the movies in top lists has a chance of a like under one half."""
_MOST_LOST = 0.1
"""The largest share of the best mean NDCG that `_honest_likes` may give up. With the share 0.1, the chosen
weights reach at least 90 percent of the best mean NDCG. The function `_honest_likes` accepts a
lower mean NDCG if the top lists hold fewer movies that the reviewer probably does not like."""
_LISTED = 10
"""The length of the top lists in which `_honest_likes` counts the entries whose chance of a like is under one
half."""
CONTENT_SHARES = (0.0, 0.2, 0.4, 0.8, 1.6, 3.2)
"""The weights that `choose_blend` tries for similarities by metadata, which are added to the similarities
from a neighbour table. A weight of 1 scales the similarities by metadata to the standard deviation of the
similarities from the neighbour table."""
_BEST_TABLES = 2
"""The number of the best neighbour tables that are tried again, in scores that also use metadata or
successors (movies that reviewers often reviewed soon after another movie). The best neighbour tables are the
tables with the highest mean NDCG in scores that use neither metadata nor the order of reviews."""
_STANDARD_ERRORS = 2.0
"""Successors (movies that reviewers often reviewed soon after another movie) become part of the score only if
successors raise the mean NDCG by more than this number of standard errors. A rise of the mean NDCG by fewer
standard errors may be due to chance."""


class _Shares(NamedTuple):
    """Holds weights to try for three parts of a movie's score, one sequence of weights for each part.

    Every combination of one weight from each sequence is tried.
    """

    content: Sequence[float]
    """The weights to try for the similarities of movies by metadata, which are added to the similarities from
    a neighbour table. A weight of 1 scales the similarities by metadata to the standard deviation of the
    similarities from the neighbour table."""
    successor: Sequence[float]
    """The weights to try for the part of a score that comes from successors (movies that reviewers often
    reviewed soon after another movie). With the weight 1, the part of the score from successors and the
    relevance have the same standard deviation."""
    like: Sequence[float]
    """The weights to try for the logarithm of the chance that the reviewer likes a movie."""


class _Tried(NamedTuple):
    """Holds the mean NDCG that one neighbour table reaches with each combination of weights."""

    shares: _Shares
    figures: Doubles
    """The smoothed mean NDCG of each combination of weights, float64 [num_content_shares,
    num_successor_shares, num_neighbour_shares, num_like_weights]."""
    contents: Doubles
    """float64 [num_content_shares], for each weight in `shares.content`, the number by which similarities by
    metadata are multiplied. The similarities by metadata, multiplied by a number in `contents`, are added to
    the similarities from the neighbour table."""
    scales: Doubles
    """float64 [num_content_shares], for each weight in `shares.content`, the number by which movies'
    similarities to a reviewer's history are multiplied. The similarities to the history, multiplied by a
    number in `scales`, have the same standard deviation as the movies' relevance."""
    next_scale: float
    """The number by which the part of a score from successors (movies that reviewers often reviewed soon
    after another movie) is multiplied. The part of the score from successors, multiplied by `next_scale`, has
    the same standard deviation as the movies' relevance."""

    def best(self) -> tuple[int, int, int, int]:
        """Returns the position of the highest value in `figures`, or the first of equally high values."""
        content, successor, neighbour, like = np.unravel_index(np.argmax(self.figures), self.figures.shape)
        return int(content), int(successor), int(neighbour), int(like)


class _Chosen(NamedTuple):
    """Holds the chosen neighbour table and score weights, and each reviewer's mean NDCG with the choice."""

    blend: Blend
    kind: NeighbourKind
    relevance: list[Floats]
    """For each model, the scores of the candidate movies with the chosen weights: float32 [num_reviewers,
    num_candidates]. The scores in `relevance` leave out one term: the logarithm of the chance that the
    reviewer likes the movie."""
    figures: Doubles
    """float64 [num_reviewers], for each reviewer, the mean of NDCG@10, NDCG@20 and NDCG@50. If `choose_blend`
    was given several trained models, the reviewers with held-out reviews of the first model come first, then
    the reviewers with held-out reviews of the second model, and so on."""
    best_kinds: list[NeighbourKind]
    """The kinds of the _BEST_TABLES neighbour tables with the highest mean NDCG, best first. To compare the
    neighbour tables, movies get scores that do not use metadata."""


def choose_blend(
    trained: Sequence[TrainedModel], held_out: Sequence[Reviews], seed: int
) -> tuple[Blend, NeighbourKind]:
    """Chooses the kind of neighbour table and the score weights that give held-out likes the highest NDCG.

    Each neighbour table is tried with each combination of weights on a grid. The mean NDCG of a combination
    is the mean of NDCG@10, NDCG@20 and NDCG@50 over all reviewers. The mean NDCG is smoothed over the grid of
    weights, and the combination with the highest smoothed value is chosen. If several neighbour tables or
    combinations have the same highest value, the table that was tried first is chosen, and then the
    combination that was tried first.

    All neighbour tables are compared in scores that use neither metadata nor successors (movies that
    reviewers often reviewed soon after another movie). The _BEST_TABLES neighbour tables with the highest
    mean NDCG are also tried in scores that use metadata, successors (movies often reviewed soon after another
    movie), or metadata and successors. Successors become part of the score only if successors raise the mean
    NDCG by more than _STANDARD_ERRORS standard errors.

    The neighbour table and the weights are chosen once for each exponent in LENGTH_POWERS, and the choice
    with the higher mean NDCG is kept. The sum of similarities to a reviewer's history is divided by the
    length of the history, raised to an exponent in LENGTH_POWERS. If the models predict ratings, the function
    `_honest_likes` chooses the fields `like_weight` and `doubt` of the returned blend. With the `like_weight`
    and `doubt` from `_honest_likes`, top lists hold few movies that the reviewer will probably not like.

    Args:
        trained: one or more trained models, with the same kinds of neighbour table and the same blend.
        held_out: for each model, the reviews that were held out of the model's training.
        seed: the seed of the random sample of reviewers that is used if the reviewers are many.
    """
    collected = [collect(one, reviews, seed) for one, reviews in zip(trained, held_out, strict=True)]
    found = [_with_power(trained[0], collected, power) for power in LENGTH_POWERS]
    chosen = max(found, key=lambda one: one.figures.mean())
    blend, kind = chosen.blend, chosen.kind
    logger.info(
        "Chose neighbours by %s, neighbour weight %.3g, length power %g, successor weight %.3g and like "
        "weight %.3g: %.4f, against %.4f without", kind, blend.neighbour_weight, blend.length_power,
        blend.successor_weight, blend.like_weight, chosen.figures.mean(),
        np.mean([figure_of(parts, parts.relevance) for parts in collected]),
    )  # fmt: skip
    if trained[0].model.rating is not None:
        blend = _honest_likes(collected, chosen.relevance, blend)
    return blend, kind


def _with_power(trained: TrainedModel, collected: Sequence[Parts], length_power: float) -> _Chosen:
    """Chooses the neighbour table and the score weights with the highest mean NDCG for one `length_power`.

    The sum of a movie's similarities to the movies in a history is divided by the length of the history,
    raised to the exponent `length_power`. The score includes successors (movies that reviewers often reviewed
    soon after another movie) only if successors raise the mean NDCG by more than _STANDARD_ERRORS standard
    errors.
    """
    lowered = [parts.lowered(length_power) for parts in collected]
    like_weights = LIKE_WEIGHTS if trained.model.rating is not None else (0.0,)
    chosen = _choose(trained, lowered, list(trained.tables), _Shares((0.0,), (0.0,), like_weights))
    if trained.successors is not None:
        shares = _Shares((0.0,), SUCCESSOR_SHARES, (chosen.blend.like_weight,))
        ordered = _choose(trained, lowered, chosen.best_kinds, shares)
        gains = ordered.figures - chosen.figures
        doubt = gains.std() / np.sqrt(len(gains))
        logger.info("With successors, NDCG rises by %.4f, with an error of %.4f", gains.mean(), doubt)
        if gains.mean() > _STANDARD_ERRORS * doubt:
            chosen = ordered
    return chosen._replace(blend=replace(chosen.blend, length_power=length_power))


def _choose(
    trained: TrainedModel,
    collected: Sequence[Parts],
    candidates: Sequence[NeighbourKind],
    plain: _Shares,
) -> _Chosen:
    """Chooses one of the neighbour tables in `candidates`, and the score weights, by the mean NDCG.

    The argument `plain` holds the weights to try for successors (movies that reviewers often reviewed soon
    after another movie) and for the chance of a like. For a movie's similarity to the reviewer's history, all
    weights in NEIGHBOUR_SHARES are tried.

    The choice has up to three steps. In the first step, each neighbour table in `candidates` is tried in
    scores that do not use metadata. In the second step, the _BEST_TABLES neighbour tables with the highest
    mean NDCG in the first step are tried in scores that use metadata. The second step tries all weights in
    CONTENT_SHARES for the similarities by metadata. For successors (movies often reviewed soon after another
    movie), the second step tries one weight: the neighbour table's best weight in the first step. The second
    step is left out if the training built no table of movies with similar metadata.

    The third step tries all weights in `plain.successor` for successors (movies often reviewed soon after
    another movie). In the third step, the neighbour table and the metadata weight are fixed: the table and
    the weight with the highest mean NDCG in the second step. The third step is left out if the best metadata
    weight in the second step is 0, or if `plain.successor` holds only one weight.
    """
    kinds, successors = list(trained.tables), plain.successor
    tried = {kind: _try(collected, kinds.index(kind), plain) for kind in candidates}
    best = sorted(tried, key=lambda kind: -tried[kind].figures.max())[:_BEST_TABLES]
    if trained.content is not None:
        chosen = {kind: successors[tried[kind].best()[1]] for kind in best}
        with_content = plain._replace(content=CONTENT_SHARES)
        tried = {
            kind: _try(collected, kinds.index(kind), with_content._replace(successor=(chosen[kind],)))
            for kind in best
        }
    kind = max(tried, key=lambda kind: tried[kind].figures.max())
    found = tried[kind]
    content_share = found.shares.content[found.best()[0]]
    if content_share and len(successors) > 1:
        found = _try(collected, kinds.index(kind), plain._replace(content=(content_share,)))
    content, successor, neighbour, like = found.best()
    table, kind = kinds.index(kind), kind._replace(content=float(found.contents[content]))
    blend = replace(
        trained.model.blend,
        neighbour_weight=float(NEIGHBOUR_SHARES[neighbour] * found.scales[content]),
        successor_weight=float(found.shares.successor[successor] * found.next_scale),
        like_weight=found.shares.like[like],
    )
    relevance = [_relevance(parts, table, kind.content, blend) for parts in collected]
    figures = [
        figures_of(parts, own + np.float32(blend.like_weight) * parts.log_like)
        for parts, own in zip(collected, relevance, strict=True)
    ]
    return _Chosen(blend, kind, relevance, np.concatenate(figures), best)


def _relevance(parts: Parts, table: int, content_weight: float, blend: Blend) -> Floats:
    """Returns each candidate's score with the weights of `blend`, without the term for the chance of a like.

    The score is a weighted sum of the relevance, the similarities to the reviewer's history, and a part for
    successors (movies that reviewers often reviewed soon after another movie). The argument `table` is the
    position of a neighbour table's similarities in `parts.near`. The similarities by metadata are multiplied
    by `content_weight` and added to the similarities from the neighbour table.
    """
    near = parts.near[table]
    if content_weight:
        near = near + np.float32(content_weight) * parts.near[-1]
    relevance = parts.relevance + np.float32(blend.neighbour_weight) * near
    if parts.next is not None:
        relevance = relevance + np.float32(blend.successor_weight) * parts.next
    return relevance


def _honest_likes(collected: Sequence[Parts], relevance: Sequence[Floats], blend: Blend) -> Blend:
    """Chooses how much the chance of a like counts, so that lists hold few movies that will not be liked.

    Each value in HONEST_LIKE_WEIGHTS is tried as `like_weight`, together with each value in DOUBTS as
    `doubt`. The field `Blend.like_weight` is the weight of the chance of a like. The field `Blend.doubt`
    lowers the scores of movies whose chance of a like is under one half.

    The chosen pair of `like_weight` and `doubt` reaches at least `1 - _MOST_LOST` times the best mean NDCG of
    all pairs. If possible, the function chooses a pair of `like_weight` and `doubt` that keeps to
    MOST_DOUBTFUL: at most the share MOST_DOUBTFUL of the movies in top lists has a chance of a like under one
    half. Of several pairs of `like_weight` and `doubt` that keep to MOST_DOUBTFUL, the pair with the highest
    mean NDCG is chosen. If no pair of `like_weight` and `doubt` keeps to MOST_DOUBTFUL, top lists with the
    chosen pair hold the fewest movies whose chance of a like is under one half.
    """
    num_reviewers = sum(len(parts.relevance) for parts in collected)
    tried = []
    for weight in HONEST_LIKE_WEIGHTS:
        for doubt in DOUBTS if weight else (0.0,):
            figure = share = 0.0
            for parts, own in zip(collected, relevance, strict=True):
                part = len(parts.relevance) / num_reviewers
                under_half = np.minimum(parts.log_like + np.float32(np.log(2)), np.float32(0))
                likes = replace(blend, doubt=doubt).doubted(parts.log_like)
                scores = own + np.float32(weight) * likes
                figure += part * figure_of(parts, scores)
                best = k_highest_of_rows(scores, _LISTED)
                listed = np.take_along_axis(under_half, best, axis=1) < 0
                share += part * float(listed.mean())
            tried.append((figure, share, weight, doubt))
    least = (1 - _MOST_LOST) * max(figure for figure, *_ in tried)
    good = [one for one in tried if one[0] >= least]
    honest = [one for one in good if one[1] <= MOST_DOUBTFUL]
    chosen = max(honest, key=lambda one: one[0]) if honest else min(good, key=lambda one: one[1])
    logger.info(
        "Chose like weight %g and doubt %g: %.4f, with %.1f%% of entries under one half; without, %.4f and "
        "%.1f%%", chosen[2], chosen[3], chosen[0], 100 * chosen[1], tried[0][0], 100 * tried[0][1],
    )  # fmt: skip
    return replace(blend, like_weight=chosen[2], doubt=chosen[3])


def _try(collected: Sequence[Parts], place: int, shares: _Shares) -> _Tried:
    """Computes the mean NDCG with one neighbour table for each combination of weights in `shares`.

    The argument `place` is the position of the neighbour table's similarities in `Parts.near`.
    """
    from scipy.ndimage import uniform_filter

    shape = (len(shares.content), len(shares.successor), len(NEIGHBOUR_SHARES), len(shares.like))
    figures, contents, scales, next_scale = np.zeros(shape), np.zeros(shape[0]), np.zeros(shape[0]), 0.0
    num_reviewers = sum(len(parts.relevance) for parts in collected)
    for parts in collected:
        weight = len(parts.relevance) / num_reviewers
        unit, beside, one_next = spread_of(parts, parts.relevance), parts.near[place], 0.0
        of_beside = spread_of(parts, beside)
        of_content = spread_of(parts, parts.near[-1]) if any(shares.content) else 0.0
        if parts.next is not None:
            one_next = unit / max(spread_of(parts, parts.next), 1e-9)
        next_scale += weight * one_next
        for row, content_share in enumerate(shares.content):
            near = beside
            if content_share:
                content = content_share * of_beside / max(of_content, 1e-9)
                contents[row] += weight * content
                near = near + np.float32(content) * parts.near[-1]
            scale = unit / max(spread_of(parts, near) if content_share else of_beside, 1e-9)
            scales[row] += weight * scale
            for column, share in enumerate(shares.successor):
                own = parts.relevance
                if parts.next is not None and share:
                    own = own + np.float32(share * one_next) * parts.next
                weights = [neighbour * scale for neighbour in NEIGHBOUR_SHARES]
                found = figures_of_grid(parts, own, near, weights, shares.like)
                figures[row, column] += weight * found
    # On few reviews single weights do well by chance, so each mean is averaged with its grid neighbours.
    smooth = uniform_filter(figures, size=3, mode="nearest")
    return _Tried(shares, smooth, contents, scales, next_scale)
