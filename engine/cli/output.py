"""Prints answers as tables of text, prints remarks about answers, and starts the log lines."""

from __future__ import annotations

import logging
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from engine.artifact.layout import (
    BASELINES_SECTION,
    CALIBRATION_SECTION,
    CONFIG_SECTION,
    FILES_ENTRY,
    UPDATES_SECTION,
)
from engine.cli.terminal import LogFormatter, on_one_line, say

if TYPE_CHECKING:
    from engine.answers import LikelyReviewer, Recommendation, Variety

Column = str | Callable[[Any], Any]
"""The name of the answer's attribute that a column shows, or a function that maps an answer to a value."""

_PACKAGES = ("engine", "indexes", "pipelines")
_REASONS_WIDTH = 60
"""The largest number of characters in the column "because of", so that a row fits a terminal."""
_NOT_SHOWN = (FILES_ENTRY, CONFIG_SECTION, CALIBRATION_SECTION, BASELINES_SECTION)
"""Sections of a manifest that are too long for a printed summary; --json prints all sections."""
_GAP = "  "
_WIDEST = 60
"""The largest width of a column of a table, in characters."""
_NARROWEST = 12
"""The width, in characters, below which a column is not narrowed further, so that it stays legible."""


def start_logging(level: int) -> None:
    """Sends the engine's own log lines of a level and above to stderr; other libraries log as before."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(handlers=[handler])
    for name in _PACKAGES:
        logger = logging.getLogger(name)
        logger.setLevel(min(level, logger.level or level))


def log_more(_context: click.Context, _option: click.Parameter, verbose: bool) -> None:
    """Starts logging at level DEBUG if the option --verbose is given."""
    if verbose:
        start_logging(logging.DEBUG)


def print_recommendations(movies: Sequence[Recommendation]) -> None:
    """Prints recommended movies as a table, with predicted ratings, reasons and variants if there are any."""
    columns = {"#": "rank", "movie": "movie_id", "title": "title", **_judgement(movies)}
    if any(movie.variants is not None for movie in movies):
        columns["variants"] = _variants
    print_answers(movies, columns)


def print_reviewers(reviewers: Sequence[LikelyReviewer]) -> None:
    """Prints the reviewers who are most likely to review and like a movie, as a table."""
    print_answers(reviewers, {"#": "rank", "reviewer": "reviewer_id", **_judgement(reviewers)})


def print_answers(answers: Sequence[Any], columns: Mapping[str, Column]) -> None:
    """Prints answers as a table with one row per answer; the keys of `columns` are the headings."""
    rows = [
        [
            getattr(answer, column) if isinstance(column, str) else column(answer)
            for column in columns.values()
        ]
        for answer in answers
    ]
    print_table(list(columns), rows)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]], indent: str = "") -> None:
    """Prints values as a table, narrowed to the width of the terminal if stdout is a terminal."""
    import shutil

    width = shutil.get_terminal_size().columns if sys.stdout and sys.stdout.isatty() else None
    say(format_table(headings, rows, width=width, indent=indent))


def print_fields(fields: Mapping[str, Any]) -> None:
    """Prints values by name, one a line, and leaves out values that are None."""
    for name, value in fields.items():
        if value is not None:
            shown = f"{value:g}" if isinstance(value, float) else cell_text(str(value))
            say(f"{name.replace('_', ' ')}: {shown}")


def say_variety(variety: Variety | None) -> None:
    """Prints to stderr how diversity and novelty changed a list; prints nothing if `variety` is None."""
    if variety is not None:
        say(
            f"Variety took {variety.score_loss:.3g} off the mean score; the list's diversity is "
            f"{variety.list_diversity:.2f} instead of {variety.plain_diversity:.2f}.",
            err=True,
        )


def say_if_short(found: int, wanted: int, kind: str = "movie") -> None:
    """Prints to stderr that a list is shorter than wanted, if fewer answers were found than wanted."""
    if found < wanted:
        shown = {0: f"No {kind}", 1: f"Only one {kind}"}.get(found, f"Only {found:,} {kind}s")
        say(f"{shown} can be listed.", err=True)


def say_if_retrain(manifest: Mapping[str, Any]) -> None:
    """Prints to stderr why an index should be trained again, if the manifest says that it should."""
    updates = manifest.get(UPDATES_SECTION) or {}
    if updates.get("retrain"):
        say(f"Train again with build-index: {updates['reason']}.", err=True)


def print_summary(manifest: Mapping[str, Any]) -> None:
    """Prints a manifest without the sections of `_NOT_SHOWN`, and the total size of the index's files."""
    _print_section({name: manifest[name] for name in manifest if name not in _NOT_SHOWN})
    files = manifest.get(FILES_ENTRY)
    if isinstance(files, Mapping):
        size = sum(entry["size"] for entry in files.values())
        say(f"files: {len(files)}, {size / 1e6:,.1f} MB")


def _print_section(section: Mapping[str, Any], indent: str = "") -> None:
    for name, value in section.items():
        label, inner = f"{indent}{cell_text(name).replace('_', ' ')}:", f"{indent}  "
        is_list = isinstance(value, list | tuple)
        if _is_comparison(value):
            say(label)
            _print_rows([{"": key, **row} for key, row in value.items()], inner)
        elif isinstance(value, Mapping):
            say(label)
            _print_section(value, inner)
        elif is_list and value and all(isinstance(row, Mapping) for row in value):
            say(label)
            _print_rows(value, inner)
        else:
            shown = ", ".join(map(cell_text, value)) or "-" if is_list else cell_text(value)
            say(f"{label} {shown}")


def _is_comparison(value: Any) -> bool:
    """Tells whether a manifest's value is a mapping of rows, such as the metrics of each model."""
    rows = list(value.values()) if isinstance(value, Mapping) else []
    return len(rows) > 1 and all(
        isinstance(row, Mapping)
        and row
        and not any(isinstance(cell, Mapping | list) for cell in row.values())
        for row in rows
    )


def _print_rows(rows: Sequence[Mapping[str, Any]], indent: str) -> None:
    """Prints rows as a table with one column for each field that any row has."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    print_table(columns, [[row.get(column) for column in columns] for row in rows], indent)


def _judgement(answers: Sequence[Recommendation | LikelyReviewer]) -> dict[str, Column]:
    """Returns the table columns for predicted ratings (else for relevance), and for reasons if any."""
    columns: dict[str, Column] = {"relevance": "relevance"}
    if any(answer.predicted_rating is not None for answer in answers):
        columns = {"stars": _stars, "like": _chance}
        if all(answer.predicted_rating == answer.like_probability for answer in answers):
            # On the scale of 0 and 1, which stands for counts too, the prediction is the chance of a like.
            del columns["stars"]
    if any(answer.because for answer in answers):
        columns["because of"] = _reasons
    return columns


def _variants(movie: Recommendation) -> str | None:
    named = [
        f"{variant.movie_id} ({variant.format})" if variant.format else variant.movie_id
        for variant in movie.variants or ()
    ]
    return ", ".join(named) or None


def _reasons(answer: Recommendation | LikelyReviewer) -> str | None:
    """Joins the titles of the largest reasons, as many whole titles as fit into the column."""
    titles = [reason.title or reason.movie_id for reason in answer.because or ()]
    shown = titles[:1]
    for title in titles[1:]:
        if len(", ".join([*shown, title])) > _REASONS_WIDTH:
            break
        shown.append(title)
    return ", ".join(shown) or None


def _stars(answer: Recommendation | LikelyReviewer) -> str | None:
    return None if answer.predicted_rating is None else f"{answer.predicted_rating:.1f}"


def _chance(answer: Recommendation | LikelyReviewer) -> str | None:
    return None if answer.like_probability is None else f"{answer.like_probability:.0%}"


def format_table(
    headings: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int | None = None, indent: str = ""
) -> str:
    """Formats values as a table, with numbers aligned to the right, text to the left, and None as a dash.

    If lines would be longer than `width` characters, including `indent`, the widest columns are narrowed
    first.

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
        total = width - len(indent) - len(_GAP) * (len(widths) - 1)
        while sum(widths) > total and max(widths) > _NARROWEST:
            widths[widths.index(max(widths))] -= 1
    lines = [
        _GAP.join(
            _fit(text, column_width, right)
            for text, column_width, right in zip(line, widths, numeric, strict=True)
        )
        for line in (headings, *cells)
    ]
    return "\n".join(f"{indent}{line}".rstrip() for line in lines)


def cell_text(value: Any) -> str:
    """Formats a value as one line of text, with control characters written as escape sequences."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.0f}"
    return on_one_line(str(value))


def display_width(text: str) -> int:
    """Returns the width of a text in a terminal, in cells: a wide Asian letter takes 2, an accent takes 0."""
    if text.isascii():
        return len(text)
    return sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


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
