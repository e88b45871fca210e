"""Chooses on validation reviews which table says what is near to a history."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.config import NeighboursConfig
from engine.neighbours import NeighbourTable
from engine.scorer import ALL, Model
from pipelines.dataset import Reviews
from pipelines.neighbours import Nearness
from pipelines.ranking import rank_held_out

logger = logging.getLogger(__name__)

L2_FACTORS = (0.2, 1.0, 2.0, 4.0)
"""Penalties tried for the linear model, by what they are of the configured one."""
FEW_L2_FACTORS = (1.0, 2.0)
"""Those that are tried of larger catalogues; the time of a linear model grows with the third power."""
DAMPING_FACTORS = (1.0, 4.0)
"""Likewise the dampings tried for co-reviews."""
_ALL_FACTORS_UP_TO = 3000
"""Movies up to which all penalties are tried."""
_MAX_REVIEWERS = 2000
_MAX_SCORES = 2**28
"""Scores that a figure may cost, which leaves fewer reviewers where there are very many movies."""
_AT_ONCE = 2**24


def nearness_options(num_movies: int, config: NeighboursConfig) -> list[Nearness]:
    """What may say which movies are near, besides plain co-reviews."""
    factors = L2_FACTORS if num_movies <= _ALL_FACTORS_UP_TO else FEW_L2_FACTORS
    penalties = factors if num_movies <= config.linear_up_to else ()
    return [
        *(Nearness("linear", factor * config.linear_l2) for factor in penalties),
        *(Nearness("damped", factor * config.damping) for factor in DAMPING_FACTORS),
    ]


def choose_nearness(
    model: Model, tables: Mapping[Nearness, NeighbourTable], earlier: Reviews, liked: Reviews, seed: int
) -> Nearness | None:
    """Finds which table puts held-out likes highest by itself.

    Many reviews want a linear model with a strong penalty. Few want co-reviews, the more damped the fewer
    reviews the movies have.

    Args:
        model: trained on `earlier`.
        tables: made of `earlier`, what may stand in for the model's own co-reviews.
        earlier: the reviews before those held out.
        liked: the likes that were held out.
        seed: of the sample of reviewers.

    Returns:
        What the best table is; None where plain co-reviews are best.
    """
    choices: list[tuple[Nearness | None, NeighbourTable | None]] = [(None, None), *tables.items()]
    figures = {
        nearness: _figure(replace(model, chosen_neighbours=table), earlier, liked, seed)
        for nearness, table in choices
    }
    best = max(figures, key=lambda nearness: figures[nearness])
    logger.info(
        "Nearness by %s; %s",
        _named(best),
        ", ".join(f"{_named(nearness)}: {figure:.4f}" for nearness, figure in figures.items()),
    )
    return best


def _named(nearness: Nearness | None) -> str:
    return "co-reviews" if nearness is None else f"{nearness.form} {nearness.strength:g}"


def _figure(model: Model, earlier: Reviews, liked: Reviews, seed: int) -> float:
    """The mean of NDCG@10 and NDCG@20 by nearness alone."""

    def score(reviewer_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        near = model.near(model.histories.take(reviewer_rows)).at(ALL)
        return near.reshape(len(reviewer_rows), -1).astype(np.float32)

    batch = max(1, min(256, _AT_ONCE // model.num_movies))
    most = min(_MAX_REVIEWERS, max(1, _MAX_SCORES // model.num_movies))
    ranked = rank_held_out(score, earlier, liked, batch=batch, max_reviewers=most, seed=seed)
    figures = ranked.mean()
    return (figures["ndcg@10"] + figures["ndcg@20"]) / 2
