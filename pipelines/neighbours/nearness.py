"""What may say which movies are near to a history."""

from __future__ import annotations

from typing import NamedTuple

from engine.config.sections import NeighboursConfig

L2_FACTORS = (0.2, 1.0, 2.0, 4.0)
"""Penalties tried for the linear model, by what they are of the configured one."""
FEW_L2_FACTORS = (1.0, 2.0)
"""Those that are tried of larger catalogues; the time of a linear model grows with the third power."""
DAMPING_FACTORS = (1.0, 4.0)
"""Likewise the dampings tried for co-reviews."""
_ALL_FACTORS_UP_TO = 3000
"""Movies up to which all penalties are tried."""


class Nearness(NamedTuple):
    """How a table comes about that says which movies are near."""

    form: str
    """`co-reviews`, `linear` or `damped`."""
    strength: float = 0.0
    """The penalty of the linear model, or the damping of co-reviews; plain co-reviews have none."""
    content: float = 0.0
    """The weight of what metadata makes alike, beside that."""

    def __str__(self) -> str:
        strength = f" {self.strength:g}" if self.strength else ""
        return f"{self.form}{strength}" + (f" and content {self.content:.2g}" if self.content else "")


CO_REVIEWS = Nearness("co-reviews")
"""Plain co-review similarities, which every model has a table of."""


def nearness_options(num_movies: int, config: NeighboursConfig) -> list[Nearness]:
    """What may say which movies are near, besides plain co-reviews.

    Many reviews want a linear model with a strong penalty. Few want co-reviews, the more damped the fewer
    reviews the movies have.
    """
    factors = L2_FACTORS if num_movies <= _ALL_FACTORS_UP_TO else FEW_L2_FACTORS
    penalties = factors if num_movies <= config.linear_up_to else ()
    return [
        *(Nearness("linear", factor * config.linear_l2) for factor in penalties),
        *(Nearness("damped", factor * config.damping) for factor in DAMPING_FACTORS),
    ]
