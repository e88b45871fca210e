"""Renders HTML tables for notebooks: of the engine's answers, and of facts about an index or a build.

All text in the tables is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

HEADINGS = {
    "rank": "#",
    "title": "title",
    "movie_id": "movie",
    "reviewer_id": "reviewer",
    "match": "match",
    "predicted_rating": "stars",
    "like_probability": "like",
    "interval": "interval",
    "rating": "stars",
    "day": "day",
    "similarity": "similarity",
    "num_shared": "shared",
    "num_reviews": "reviews",
    "average_rating": "average rating",
    "year": "year",
    "category": "category",
    "price": "price",
    "description": "description",
    "because": "because of",
    "variants": "variants",
}
"""The fields that a table shows, in the order of the columns, with the heading of each column."""
_AS_TEXT = (
    "movie_id",
    "reviewer_id",
    "title",
    "category",
    "description",
    "because",
    "variants",
    "match",
    "day",
)
"""The fields whose cells hold text, and are aligned to the left."""
_MOST_ROWS = 100
"""The largest number of rows of a table; further rows are only counted."""
_MOST_LISTS = 10
"""The largest number of top lists that are shown; further lists are only counted."""
_LONGEST = 160
"""The largest number of characters that a cell of a table shows."""
_SAFE = ("http://", "https://")
"""A title links to the movie's address only if the address begins with one of these texts."""


def table_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns an HTML table of rows, with a column for each field of HEADINGS that has a value in any row.

    >>> table_of([{"title": "<b>", "price": None}])
    '<table><thead><tr><th style="text-align:left">title</th></tr></thead><tbody><tr><td \
style="text-align:left">&lt;b&gt;</td></tr></tbody></table>'
    """
    if not rows:
        return "<p>No answers.</p>"
    names = [name for name in HEADINGS if any(row.get(name) is not None for row in rows)]
    head = "".join(f"<th{_style(name)}>{escape(HEADINGS[name])}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(f'<td{_style(name)}>{_cell(name, row)}</td>' for name in names)}</tr>"
        for row in rows[:_MOST_ROWS]
    )
    more = len(rows) - _MOST_ROWS
    rest = f"<p>… and {more:,} more.</p>" if more > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"


def lists_of(ids: Sequence[str], lists: Sequence[Sequence[Mapping[str, Any]]]) -> str:
    """Returns the top lists of several reviewers as HTML tables, one below the other."""
    shown = "".join(
        f"<p>Reviewer <code>{escape(one)}</code></p>{table_of(rows)}"
        for one, rows in zip(ids[:_MOST_LISTS], lists[:_MOST_LISTS], strict=True)
    )
    more = len(lists) - _MOST_LISTS
    return f"{shown}<p>… and the lists of {more:,} more reviewers.</p>" if more > 0 else shown


def fields_of(values: Mapping[str, Any]) -> str:
    """Returns named values as an HTML table, one row for each name; nested values become inner tables."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name.replace("_", " "))}</th>'
        f'<td style="text-align:left">{_value(value)}</td></tr>'
        for name, value in values.items()
        if value is not None
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"<details><summary>{len(value):,} entries</summary>{fields_of(value)}</details>"
    if isinstance(value, list | tuple):
        if any(isinstance(item, Mapping) for item in value):
            return "".join(
                fields_of(item) if isinstance(item, Mapping) else _text(item) for item in value[:_MOST_ROWS]
            )
        return ", ".join(map(_text, value[:_MOST_ROWS]))
    return _text(value)


def _style(name: str) -> str:
    return f' style="text-align:{"left" if name in _AS_TEXT else "right"}"'


def _cell(name: str, row: Mapping[str, Any]) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if name == "title" and str(row.get("link") or "").startswith(_SAFE):
        return f'<a href="{escape(str(row["link"]))}">{_text(value)}</a>'
    if name in ("movie_id", "reviewer_id"):
        return f"<code>{_text(value)}</code>"
    if name == "like_probability":
        return f"{value:.0%}"
    if name in ("predicted_rating", "average_rating"):
        return f"{value:.1f}"
    if name == "year":
        return str(value)
    if name == "price":
        return f"{value:.2f}"
    if name == "interval":
        return f"{value['low']:g} to {value['high']:g}"
    if name in ("because", "variants") and isinstance(value, list):
        return ", ".join(_text(item.get("title") or item["movie_id"]) for item in value)
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return escape(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")
