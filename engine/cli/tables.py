"""Formats values as tables of text that fit the width of a terminal, without cutting numbers and ids."""

from __future__ import annotations

import shutil
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import Any

from engine.cli.terminal import on_one_line

_GAP = "  "
_WIDEST = 60
"""The largest width, in characters, of a column in a table."""
_NARROWEST = 12
"""The least width, in characters, to which a column is narrowed so that a table fits the screen."""


def screen_width() -> int:
    """Returns the width of the screen in characters: $COLUMNS, or else the terminal's width, or else 80."""
    return shutil.get_terminal_size().columns


def format_table(
    headings: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int | None = None, indent: str = ""
) -> str:
    """Formats values as a table: numbers are aligned right, texts are aligned left, and None becomes a dash.

    If a line of the table would be longer than `width` characters, columns of words are narrowed; the widest
    column is narrowed first. If the table is still wider than `width` characters after all columns of words
    are narrowed, the columns are divided among several tables below each other. Each of the tables begins
    with the first column. If a value is a tuple of texts, the table shows the first texts of the tuple, as
    many as fit into the column. By default, `width` is the width of the screen.

    Example:
        >>> print(format_table(["#", "title"], [[1, "Laura"], [10, None]]))
         #  title
         1  Laura
        10  -
    """
    cells = [[cell_text(value) for value in row] for row in rows]
    columns = range(len(headings))
    numeric = [
        any(isinstance(row[column], int | float) for row in rows)
        or all(_is_figure(row[column]) for row in cells)
        for column in columns
    ]
    widths = [
        min(_WIDEST, max(display_width(line[column]) for line in (headings, *cells))) for column in columns
    ]
    total = (screen_width() if width is None else width) - len(indent)
    wordy = [column for column in columns if any(_has_words(line[column]) for line in cells)]
    while _length(widths) > total and (wide := [one for one in wordy if widths[one] > _NARROWEST]):
        widths[max(wide, key=lambda column: widths[column])] -= 1
    return "\n\n".join(
        "\n".join(
            (indent + _GAP.join(_fit(line[one], widths[one], numeric[one]) for one in part)).rstrip()
            for line in (headings, *rows)
        )
        for part in _parts(widths, total)
    )


def wrapped(text: str, indent: str = "", *, hanging: str | None = None) -> str:
    """Breaks one line of text between words at the screen's width; leaves a text of several lines unchanged.

    The first line begins with `indent`, and each further line begins with `hanging`. By default, `hanging` is
    `indent` plus two blanks.
    """
    if "\n" in text:
        return text
    further = f"{indent}  " if hanging is None else hanging
    return textwrap.fill(
        text,
        screen_width(),
        initial_indent=indent,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )


def format_markdown(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    r"""Formats values as a table in Markdown.

    Example:
        >>> print(format_markdown(["#", "title"], [[1, "Face|Off"]]))
        | # | title |
        |---|---|
        | 1 | Face\|Off |
    """
    lines = [[cell_text(value).replace("|", "\\|") for value in row] for row in (headings, *rows)]
    shown = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([shown[0], "|" + "---|" * len(headings), *shown[1:]])


def cell_text(value: Any) -> str:
    """Formats a value as one line of text, with control characters written as escape sequences."""
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return ", ".join(map(cell_text, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.0f}"
    return on_one_line(str(value))


def display_width(text: str) -> int:
    """Returns the width of a text on a terminal: a wide Asian letter counts 2, a combining accent 0."""
    if text.isascii():
        return len(text)
    return sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _has_words(text: str) -> bool:
    return " " in text and any(map(str.isalpha, text))


def _length(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _parts(widths: Sequence[int], total: int) -> list[list[int]]:
    """Divides the columns of a wide table among several tables, which all have the first column."""
    parts: list[list[int]] = [[0] if widths else []]
    for column in range(1, len(widths)):
        if _length([widths[one] for one in (*parts[-1], column)]) > total and len(parts[-1]) > 1:
            parts.append([0])
        parts[-1].append(column)
    return parts


def _fit(value: Any, width: int, right: bool) -> str:
    while isinstance(value, tuple) and len(value) > 1 and display_width(cell_text(value)) > width:
        value = value[:-1]
    text = cell_text(value)
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
