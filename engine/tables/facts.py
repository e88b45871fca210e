"""Defines a dictionary of facts, such as a manifest, which notebooks show as a table."""

from __future__ import annotations

from typing import Any


class Facts(dict[str, Any]):
    """Holds facts about an index or a build as a dictionary; a notebook shows the facts as a table."""

    def _repr_html_(self) -> str:
        """Returns the facts as an HTML table, for notebooks; a click opens nested facts."""
        from engine.tables.markup import fields_of

        return fields_of(self)
