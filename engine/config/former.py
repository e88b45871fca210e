"""Replaces the names that settings had in earlier versions; refuses settings that no longer exist."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from engine.errors import ConfigError

logger = logging.getLogger(__name__)

RENAMED = {"relevance.max_epochs": "relevance.max_rounds", "rating.max_epochs": "rating.max_rounds"}
"""Maps the old name of each renamed setting to the new name; a recipe (a file of settings) may use either
name."""
GONE = (
    *("split.validation_share", "relevance.members_up_to", "relevance.num_targets"),
    *(f"relevance.{name}" for name in ("patience", "batch_size", "round_size", "reviewer_dropout")),
    *("relevance.history_dropout", "relevance.full_softmax_up_to"),
    *(f"rating.{name}" for name in ("patience", "batch_size", "round_size", "history_dropout", "l2_bias")),
    *(f"neighbours.{name}" for name in ("shrinkage", "rating_shrinkage", "damping", "max_history")),
    *("neighbours.num_linear_neighbours", "cold.max_words", "cold.features", "cold.num_neighbours"),
    *("cold.list_share", "index.audit_k", "index.audit_reviewers"),
)
"""The settings of earlier versions that no longer exist; the manifests of older indexes may still hold
them."""


def current(values: Mapping[str, Any], *, warn: bool = True) -> dict[str, Any]:
    """Returns nested settings, in which new names have replaced the old names of `RENAMED`.

    Raises:
        ConfigError: a setting has a value under its old name and under its new name; a setting is in `GONE`.
    """
    current = dict(values)
    for section, held in values.items():
        if isinstance(held, Mapping):
            names = {name: current_name(f"{section}.{name}", warn).rpartition(".")[2] for name in held}
            for name, present in names.items():
                if name != present and present in held:
                    raise ConfigError(
                        f"Setting '{section}.{name}' is the old name of '{section}.{present}'; "
                        "give one of the two"
                    )
            current[section] = {names[name]: value for name, value in held.items()}
    return current


def current_name(setting: str, warn: bool = True) -> str:
    """Returns the present name of a setting; the argument `setting` is the present name or the old name.

    Raises:
        ConfigError: the setting is in `GONE`, because it can no longer be set.
    """
    if setting in GONE:
        raise ConfigError(f"Setting '{setting}' is fixed now and cannot be set; leave it out")
    if setting in RENAMED and warn:
        logger.warning("Setting '%s' is called '%s' now; use that name", setting, RENAMED[setting])
    return RENAMED.get(setting, setting)
