"""Chooses, on held-out reviews, the neighbour table of a model and the weights of the parts of a score."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows, k_highest_of_rows, spans
from engine.model.neighbours import NeighbourTable
from engine.model.scorer import ALL, SUCCESSOR_RECENCY, Model
from engine.model.values import Blend
from pipelines.dataset.reviews import Reviews
from pipelines.measuring.metrics import ndcg_of_ranks
from pipelines.neighbours.tables import NeighbourKind
from pipelines.training.one_model import TrainedModel

logger = logging.getLogger(__name__)

NEIGHBOUR_SHARES = (0.0, 0.05, 0.1, 0.2, 0.35, 0.6, 1.0, 1.7, 3.0, 6.0, 20.0)
"""The neighbour weights that are tried. The unit is the weight with which the similarities to neighbours have
the same standard deviation as the relevance."""
SUCCESSOR_SHARES = (0.0, 0.2, 0.6, 1.7, 6.0, 20.0)
"""The successor weights that are tried. The unit is the weight with which the sums over successors have the
same standard deviation as the relevance."""
LIKE_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0)
"""The weights that are tried for the logarithm of the chance that the reviewer likes the movie."""
HONEST_LIKE_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0)
DOUBTS = (0.0, 2.0, 4.0, 8.0)
"""The weights of the chance of a like, and the factors for chances under one half, that are tried last."""
MOST_DOUBTFUL = 0.07
"""The largest share of list entries with a chance of a like under one half that a blend should leave."""
_MOST_LOST = 0.1
"""The largest share of the best figure that is given up for fewer entries under one half."""
_LISTED = 10
"""The length of the lists whose entries under one half are counted."""
CONTENT_SHARES = (0.0, 0.2, 0.4, 0.8, 1.6, 3.2)
"""The metadata weights that are tried. The unit is the weight with which the similarities by metadata have
the same standard deviation as the similarities of the neighbour table."""
_BEST_TABLES = 2
"""The number of neighbour tables with which metadata and successors are tried: the tables that are best
without metadata and successors."""
_MAX_REVIEWERS = 2000
"""The largest number of reviewers on whose top lists weights are compared; more reviewers would change
little."""
_MAX_SCORES = 2**24
"""The largest number of scores in memory at once: 64 MiB of float32."""
_NUM_CANDIDATES = 200
"""The number of candidate movies of a reviewer that are taken by relevance, and also the number taken by each
neighbour table."""
_STANDARD_ERRORS = 2.0
"""The number of standard errors by which successors must raise the mean NDCG, so that an order by chance
counts nothing."""
_DEPTHS = (10, 20, 50)
"""The lengths k of the top lists; weights are compared by the mean of NDCG@k over these lengths. Long lists
make the mean less noisy."""


class _Parts(NamedTuple):
    """Holds the parts that are added up to the score of each candidate movie, with a row per reviewer."""

    relevance: Floats
    """float32 [num_reviewers, num_candidates], the relevance; shorter rows are padded with minus infinity."""
    log_like: Floats
    near: list[Floats]
    """The sums of similarities between candidates and histories: one array for each neighbour table, then one
    for metadata."""
    next: Floats | None
    """What the successors of the movies in a history say of the candidates; None if no successors were asked
    for."""
    relevant: NDArray[np.bool_]
    """bool [num_reviewers, num_candidates], the mask of held-out likes among the candidates."""
    num_relevant: Rows


class _Shares(NamedTuple):
    """Holds the shares of metadata and of successors that are tried together, and the like weights."""

    content: Sequence[float]
    successor: Sequence[float]
    like: Sequence[float]


class _Tried(NamedTuple):
    """Holds the mean NDCG that one neighbour table reaches with each combination of weights."""

    shares: _Shares
    figures: Doubles
    """The smoothed mean NDCG of each combination, float64 [num_content_shares, num_successor_shares,
    num_neighbour_shares, num_like_weights]."""
    contents: Doubles
    """The metadata weight for each content share, float64 [num_content_shares]."""
    scales: Doubles
    """The neighbour weight that stands for a neighbour share of 1, for each metadata weight: float64
    [num_content_shares]."""
    next_scale: float
    """The successor weight that stands for a successor share of 1."""

    def best(self) -> tuple[int, int, int, int]:
        """Returns the position of the best combination in `figures`; of equal ones, the smallest weights."""
        content, successor, neighbour, like = np.unravel_index(np.argmax(self.figures), self.figures.shape)
        return int(content), int(successor), int(neighbour), int(like)


class _Chosen(NamedTuple):
    """Holds a choice of weights, and what the choice is worth on held-out likes."""

    blend: Blend
    kind: NeighbourKind
    relevance: list[Floats]
    """The relevance of the candidates of each model, float32 [num_reviewers, num_candidates]."""
    figures: Doubles
    """The mean NDCG of each reviewer of each model, float64 [num_reviewers of all models]."""
    best_kinds: list[NeighbourKind]
    """The kinds of the best neighbour tables without metadata, best first."""


def choose_blend(
    trained: Sequence[TrainedModel], held_out: Sequence[Reviews], seed: int
) -> tuple[Blend, NeighbourKind]:
    """Chooses the kind of neighbour table and the weights that give held-out likes the highest NDCG.

    Each neighbour table is tried with each combination of weights on a grid. The NDCG of a combination is the
    mean of NDCG@10, NDCG@20 and NDCG@50 over all reviewers. The mean NDCG values are smoothed over the grid
    of weights, and the highest smoothed value is chosen. Similarities by metadata and successors are tried
    only with the two neighbour tables that are best without metadata and successors. If several combinations
    have the same mean NDCG, the first neighbour table and the smallest weights are chosen. Successors are
    left out unless the NDCG is higher with successors by more than chance explains. The function
    `_honest_likes` then chooses the weight of the chance of a like once more, so that lists hold few movies
    that the reviewer will rather not like.

    Args:
        trained: one or more trained models, with the same kinds of neighbour table and the same blend.
        held_out: for each model, reviews of known reviewers on which the model was not trained.
        seed: seed of the random sample of reviewers, taken if there are too many.
    """
    collected = [_collect(one, reviews, seed) for one, reviews in zip(trained, held_out, strict=True)]
    like_weights = LIKE_WEIGHTS if trained[0].model.rating is not None else (0.0,)
    chosen = _choose(trained[0], collected, list(trained[0].tables), _Shares((0.0,), (0.0,), like_weights))
    if trained[0].successors is not None:
        shares = _Shares((0.0,), SUCCESSOR_SHARES, (chosen.blend.like_weight,))
        ordered = _choose(trained[0], collected, chosen.best_kinds, shares)
        gains = ordered.figures - chosen.figures
        doubt = gains.std() / np.sqrt(len(gains))
        logger.info("With successors, NDCG rises by %.4f, with an error of %.4f", gains.mean(), doubt)
        if gains.mean() > _STANDARD_ERRORS * doubt:
            chosen = ordered
    blend, kind = chosen.blend, chosen.kind
    logger.info(
        "Chose neighbours by %s, neighbour weight %.3g, successor weight %.3g and like weight %.3g: %.4f, "
        "against %.4f without", kind, blend.neighbour_weight, blend.successor_weight, blend.like_weight,
        chosen.figures.mean(), np.mean([_figure(parts, parts.relevance) for parts in collected]),
    )  # fmt: skip
    if trained[0].model.rating is not None:
        blend = _honest_likes(collected, chosen.relevance, blend)
    return blend, kind


def _choose(
    trained: TrainedModel,
    collected: Sequence[_Parts],
    candidates: Sequence[NeighbourKind],
    plain: _Shares,
) -> _Chosen:
    """Chooses one of the neighbour tables in `candidates`, one of the shares in `plain`, and other weights.

    The successor share is chosen with each neighbour table, and once more with the chosen metadata weight.
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
        _figures(parts, own + np.float32(blend.like_weight) * parts.log_like)
        for parts, own in zip(collected, relevance, strict=True)
    ]
    return _Chosen(blend, kind, relevance, np.concatenate(figures), best)


def _relevance(parts: _Parts, table: int, content_weight: float, blend: Blend) -> Floats:
    """Returns the relevance of each candidate with everything that is added to it by a blend.

    The argument `table` is the position of a neighbour table in `parts.near`.
    """
    near = parts.near[table]
    if content_weight:
        near = near + np.float32(content_weight) * parts.near[-1]
    relevance = parts.relevance + np.float32(blend.neighbour_weight) * near
    if parts.next is not None:
        relevance = relevance + np.float32(blend.successor_weight) * parts.next
    return relevance


def _honest_likes(collected: Sequence[_Parts], relevance: Sequence[Floats], blend: Blend) -> Blend:
    """Chooses how much the chance of a like counts, so that few list entries have a chance under one half.

    Every weight and every `doubt` is compared that gives up at most _MOST_LOST of the best mean NDCG of
    held-out likes. If lists can hold at most the share MOST_DOUBTFUL of entries under one half, the highest
    mean NDCG of these lists is chosen; otherwise the smallest share of entries under one half.
    """
    num_reviewers = sum(len(parts.relevance) for parts in collected)
    tried = []
    for weight in HONEST_LIKE_WEIGHTS:
        for doubt in DOUBTS if weight else (0.0,):
            figure = share = 0.0
            for parts, own in zip(collected, relevance, strict=True):
                part = len(parts.relevance) / num_reviewers
                under_half = np.minimum(parts.log_like + np.float32(np.log(2)), np.float32(0))
                likes = parts.log_like + np.float32(doubt) * under_half
                scores = own + np.float32(weight) * likes
                figure += part * _figure(parts, scores)
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


def _try(collected: Sequence[_Parts], place: int, shares: _Shares) -> _Tried:
    """Computes the mean NDCG of the neighbour table at position `place`, with each combination of weights."""
    from scipy.ndimage import uniform_filter

    shape = (len(shares.content), len(shares.successor), len(NEIGHBOUR_SHARES), len(shares.like))
    figures, contents, scales, next_scale = np.zeros(shape), np.zeros(shape[0]), np.zeros(shape[0]), 0.0
    num_reviewers = sum(len(parts.relevance) for parts in collected)
    for parts in collected:
        weight = len(parts.relevance) / num_reviewers
        unit, beside, one_next = _spread(parts, parts.relevance), parts.near[place], 0.0
        if parts.next is not None:
            one_next = unit / max(_spread(parts, parts.next), 1e-9)
        next_scale += weight * one_next
        for row, content_share in enumerate(shares.content):
            near = beside
            if content_share:
                content = content_share * _spread(parts, near) / max(_spread(parts, parts.near[-1]), 1e-9)
                contents[row] += weight * content
                near = near + np.float32(content) * parts.near[-1]
            scale = unit / max(_spread(parts, near), 1e-9)
            scales[row] += weight * scale
            for column, share in enumerate(shares.successor):
                own = parts.relevance
                if parts.next is not None and share:
                    own = own + np.float32(share * one_next) * parts.next
                figures[row, column] += weight * _grid(parts, own, near, scale, shares.like)
    # On few reviews single weights do well by chance, so each mean is averaged with its grid neighbours.
    smooth = uniform_filter(figures, size=3, mode="nearest")
    return _Tried(shares, smooth, contents, scales, next_scale)


def _grid(
    parts: _Parts, relevance: Floats, near: Floats, scale: float, like_weights: Sequence[float]
) -> Doubles:
    """Computes the mean NDCG for each pair of a neighbour share and a like weight.

    The mean NDCG values are returned as float64 [num_neighbour_shares, num_like_weights].
    """
    figures = np.empty((len(NEIGHBOUR_SHARES), len(like_weights)))
    for row, share in enumerate(NEIGHBOUR_SHARES):
        come = relevance + np.float32(share * scale) * near
        for column, weight in enumerate(like_weights):
            figures[row, column] = _figure(parts, come + np.float32(weight) * parts.log_like)
    return figures


def _figure(parts: _Parts, scores: Floats) -> float:
    """Returns the mean over all reviewers of the figures that `_figures` returns."""
    return float(_figures(parts, scores).mean())


def _figures(parts: _Parts, scores: Floats) -> Doubles:
    """Returns each reviewer's mean of NDCG@10, NDCG@20 and NDCG@50, float64 [num_reviewers].

    A liked movie ranks after all movies with an equal score.
    """
    rows, columns = parts.relevant.nonzero()
    ranks = (scores[rows] >= scores[rows, columns][:, None]).sum(axis=1) - 1
    figures = [ndcg_of_ranks(ranks, rows, parts.num_relevant, depth) for depth in _DEPTHS]
    return np.asarray(np.mean(figures, axis=0))


def _collect(trained: TrainedModel, held_out: Reviews, seed: int) -> _Parts:
    """Computes, for each reviewer, the parts that are added up to the score of each candidate movie.

    The candidates of a reviewer are the best unseen movies and the movies of held-out likes.
    """
    model = trained.model
    power = model.relevance.recency_power
    tables = [(table, power) for table in (*trained.tables.values(), trained.content) if table is not None]
    if trained.successors is not None:
        tables.append((trained.successors, SUCCESSOR_RECENCY))
    liked = held_out.select(held_out.likes(model.blend.like_rating))
    rows = np.unique(liked.reviewer_rows)
    if len(rows) > _MAX_REVIEWERS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MAX_REVIEWERS, replace=False))
    at_once = max(1, _MAX_SCORES // model.num_movies)
    batches = [
        _collect_batch(model, tables, liked, rows[begin : min(begin + at_once, last)])
        for first, last in model.histories.batches(rows)
        for begin in range(first, last, at_once)
    ]
    counts, own, log_like, relevant, *near = (np.concatenate(column) for column in zip(*batches, strict=True))
    places = np.repeat(np.arange(len(rows)), counts)
    columns = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)

    def laid_out(values: NDArray[Any], fill: float | bool) -> NDArray[Any]:
        out = np.full((len(rows), int(counts.max())), fill, dtype=values.dtype)
        out[places, columns] = values
        return out

    sums = [laid_out(values, 0.0) for values in near]
    return _Parts(
        laid_out(own, -np.inf),
        laid_out(log_like, 0.0),
        sums if trained.successors is None else sums[:-1],
        None if trained.successors is None else sums[-1],
        laid_out(relevant, False),
        np.diff(liked.offsets())[rows],
    )


def _collect_batch(
    model: Model, tables: Sequence[tuple[NeighbourTable, float]], liked: Reviews, rows: NDArray[np.integer]
) -> list[NDArray[Any]]:
    """Returns the number of candidate movies of each reviewer, and the parts of each candidate's score.

    Each of the `tables` comes with the power by which older reviews fade.
    """
    reviewers, offsets = model.reviewers(rows), liked.offsets()
    own = (reviewers.queries @ model.relevance.movie_vectors.T).astype(np.float32)
    seen = (reviewers.histories.places, reviewers.histories.movie_rows)
    lengths = offsets[rows + 1] - offsets[rows]
    targets = np.zeros(own.shape, dtype=bool)
    targets[np.repeat(np.arange(len(rows)), lengths), liked.movie_rows[spans(offsets[rows], lengths)]] = True
    sums = [model.near_by([(table, 1.0, power)], reviewers.histories) for table, power in tables]
    chosen = targets.copy()
    count = min(_NUM_CANDIDATES, model.num_movies)
    for values in (own, *(near.at(ALL).reshape(own.shape).astype(np.float32) for near in sums)):
        unseen = values.copy()
        unseen[seen] = -np.inf
        # Of equal scores at the last place, any may be taken: the last place is far below the `_DEPTHS`.
        best = np.argpartition(-unseen, count - 1, axis=1)[:, :count]
        np.put_along_axis(chosen, best, True, axis=1)
    chosen[seen] = False
    places, movie_rows = np.nonzero(chosen)
    log_like = np.zeros(len(places), dtype=np.float32)
    if model.rating is not None:
        log_like = model.log_like(model.rate_pairs(reviewers, places, movie_rows))
    keys = model.keys(places, movie_rows)
    near = (one.at(keys).astype(np.float32) for one in sums)
    found = (own[places, movie_rows], log_like, targets[places, movie_rows])
    return [chosen.sum(axis=1), *found, *near]


def _spread(parts: _Parts, values: Floats) -> float:
    """Returns the standard deviation of `values` over a reviewer's candidates, averaged over reviewers."""
    return float(np.nanmean(np.nanstd(np.where(np.isfinite(parts.relevance), values, np.nan), axis=1)))
