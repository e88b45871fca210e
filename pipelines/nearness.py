"""Chooses on validation reviews which table says what is near to a history."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.config import NeighboursConfig
from engine.neighbours import NeighbourTable
from engine.scorer import ALL, Model
from pipelines.dataset import Reviews
from pipelines.neighbours import linear_table
from pipelines.ranking import rank_held_out

logger = logging.getLogger(__name__)

L2_FACTORS = (0.2, 1.0, 4.0)
"""Penalties tried for the linear model, by what they are of the configured one."""
_ALL_FACTORS_UP_TO = 3000
"""Movies up to which all of them are tried; the time grows with the third power."""
_MAX_REVIEWERS = 2000
_AT_ONCE = 2**24


def choose_nearness(
    model: Model, earlier: Reviews, liked: Reviews, config: NeighboursConfig, seed: int
) -> tuple[NeighbourTable | None, float | None]:
    """Finds whether the linear model or plain co-reviews put held-out likes higher by themselves.

    Few reviews want a weak penalty or none of the model at all, many want a strong one.

    Args:
        model: trained on `earlier`, with the configured linear model where there is one.
        earlier: the reviews before those held out.
        liked: the likes that were held out.
        config: the penalty that the others are derived from.
        seed: of the sample of reviewers.

    Returns:
        The table of the best linear model and its penalty; both None where co-reviews are better, or the
        catalogue is too large for a linear model.
    """
    if model.linear_neighbours is None:
        return None, None
    factors = L2_FACTORS if model.num_movies <= _ALL_FACTORS_UP_TO else (1.0,)
    tables: dict[float | None, NeighbourTable | None] = {None: None}
    for l2 in (factor * config.linear_l2 for factor in factors):
        is_there = l2 == config.linear_l2
        tables[l2] = model.linear_neighbours if is_there else linear_table(earlier, model.blend, config, l2)
    figures = {
        l2: _figure(replace(model, linear_neighbours=table), earlier, liked, seed)
        for l2, table in tables.items()
    }
    best = max(figures, key=lambda l2: figures[l2])
    logger.info(
        "Nearness by %s; %s",
        "co-reviews" if best is None else f"a linear model with a penalty of {best:g}",
        ", ".join(f"{l2 or 'co-reviews'}: {figure:.4f}" for l2, figure in figures.items()),
    )
    return tables[best], best


def _figure(model: Model, earlier: Reviews, liked: Reviews, seed: int) -> float:
    """The mean of NDCG@10 and NDCG@20 by nearness alone."""

    def score(reviewer_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        near = model.reviewers(reviewer_rows).near.at(ALL)
        return near.reshape(len(reviewer_rows), -1).astype(np.float32)

    batch = max(1, min(256, _AT_ONCE // model.num_movies))
    ranked = rank_held_out(score, earlier, liked, batch=batch, max_reviewers=_MAX_REVIEWERS, seed=seed)
    figures = ranked.mean()
    return (figures["ndcg@10"] + figures["ndcg@20"]) / 2
