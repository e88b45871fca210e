"""Each question as JSON: what commands print with --json and what a service would send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def list_section(items: Sequence[Any]) -> dict[str, Any]:
    """What JSON says of a list as a whole: its variety, where some was asked for, and why it is empty."""
    from dataclasses import asdict

    variety, why_empty = getattr(items, "variety", None), getattr(items, "why_empty", None)
    section: dict[str, Any] = {} if variety is None else {"variety": asdict(variety)}
    return section if why_empty is None else section | {"why_empty": why_empty}
