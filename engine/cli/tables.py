"""Plain tables for people: aligned, cut to the width of the terminal, and safe to print always."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

_GAP = "  "
_WIDEST = 60
_NARROWEST = 12


def format_table(
    headings: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int | None = None, indent: str = ""
) -> str:
    """Lays values out in columns; numbers stand to the right, and the widest column gives way first.

    Args:
        headings: one a column.
        rows: one value a column; None shows as a dash, and text that is no number stands to the left.
        width: the characters that a line may have; None leaves the lines as long as they are.
        indent: what each line begins with.

    Example:
        >>> print(format_table(["#", "title"], [[1, "Laura"], [10, None]]))
         #  title
         1  Laura
        10  -
    """
    cells = [[cell_text(value) for value in row] for row in rows]
    numeric = [
        any(isinstance(row[column], int | float) for row in rows)
        or all(_is_figure(row[column]) for row in cells)
        for column in range(len(headings))
    ]
    widths = [
        min(_WIDEST, max(display_width(line[column]) for line in (headings, *cells)))
        for column in range(len(headings))
    ]
    if width is not None:
        _narrow(widths, width - len(indent) - len(_GAP) * (len(widths) - 1))
    lines = [
        _GAP.join(
            _fit(text, column_width, right)
            for text, column_width, right in zip(line, widths, numeric, strict=True)
        )
        for line in (headings, *cells)
    ]
    return "\n".join(f"{indent}{line}".rstrip() for line in lines)


def cell_text(value: Any) -> str:
    """Gives a value as one line that is safe to print: line breaks and control characters are written out."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.0f}"
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(value))


def display_width(text: str) -> int:
    """Counts the places that a text takes in a terminal, where Asian letters take two and accents none."""
    if text.isascii():
        return len(text)
    return sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _narrow(widths: list[int], total: int) -> None:
    """Takes from the widest columns until all fit, though never below what is still legible."""
    while sum(widths) > total and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1


def _fit(text: str, width: int, right: bool) -> str:
    if display_width(text) > width:
        kept = ""
        for letter in text:
            if display_width(kept + letter) > width - 1:
                break
            kept += letter
        text = f"{kept}…"
    padding = " " * (width - display_width(text))
    return padding + text if right else text + padding


def _is_figure(text: str) -> bool:
    return text == "-" or text.rstrip("%").replace(".", "", 1).replace(",", "").isdigit()
