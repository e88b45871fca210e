"""What commands write to stdout: JSON for programs, plain text for people."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

_REASONS_WIDTH = 60
_NOT_SHOWN = ("files", "config", "calibration", "baselines")


_GAP = "  "
_WIDEST = 60
_NARROWEST = 12


def print_json(value: Any) -> None:
    """Prints a value as JSON; letters beyond ASCII stay as they are where the output can carry them."""
    plain = "utf" in (sys.stdout.encoding or "").lower()
    click.echo(json.dumps(value, ensure_ascii=not plain, indent=2, default=str))


def print_recommendations(items: Sequence[Mapping[str, Any]]) -> None:
    """Prints recommended movies as a table; the columns about ratings are left out where there are none."""
    rated = any(item.get("predicted_rating") is not None for item in items)
    rows = [
        [item.get("rank"), item.get("movie_id"), item.get("title")]
        + ([_stars(item), _chance(item)] if rated else [item.get("relevance")])
        for item in items
    ]
    headings = ["#", "movie", "title", *(["stars", "like"] if rated else ["relevance"])]
    if any(item.get("because") for item in items):
        headings.append("because of")
        rows = [[*row, _reasons(item)] for row, item in zip(rows, items, strict=True)]
    if any(item.get("variants") is not None for item in items):
        headings.append("variants")
        rows = [[*row, _variants(item)] for row, item in zip(rows, items, strict=True)]
    _print_table(headings, rows)


def print_reviewers(items: Sequence[Mapping[str, Any]]) -> None:
    """Prints the reviewers to tell about a movie as a table."""
    rated = any(item.get("predicted_rating") is not None for item in items)
    headings = ["#", "reviewer", *(["stars", "like"] if rated else ["relevance"])]
    rows = [
        [item.get("rank"), item.get("reviewer_id")]
        + ([_stars(item), _chance(item)] if rated else [item.get("relevance")])
        for item in items
    ]
    if any(item.get("because") for item in items):
        headings.append("because of")
        rows = [[*row, _reasons(item)] for row, item in zip(rows, items, strict=True)]
    _print_table(headings, rows)


def print_similar_reviewers(items: Sequence[Mapping[str, Any]]) -> None:
    """Prints reviewers of a near taste as a table."""
    fields = ("rank", "reviewer_id", "similarity", "num_shared", "num_reviews")
    rows = [[item.get(field) for field in fields] for item in items]
    _print_table(["#", "reviewer", "similarity", "shared", "reviews"], rows)


def print_predictions(items: Sequence[Mapping[str, Any]]) -> None:
    """Prints predicted ratings as a table, with a column for the chance of each level."""
    levels = list(items[0]["rating_probabilities"]) if items else []
    rows = [
        [
            item["movie_id"],
            item["title"],
            f"{item['predicted_rating']:.2f}",
            f"{item['median_rating']:g}",
            f"{item['interval']['low']:g} to {item['interval']['high']:g}",
            _chance(item),
            *(f"{item['rating_probabilities'][level]:.0%}" for level in levels),
        ]
        for item in items
    ]
    names = [f"{float(level):g}" for level in levels]
    _print_table(["movie", "title", "mean", "median", "interval", "like", *names], rows)


def say_variety(items: Sequence[Any]) -> None:
    """Says on stderr what variety did to a list; nothing where none was asked for."""
    variety = getattr(items, "variety", None)
    if variety is not None:
        click.echo(
            f"Variety took {variety.score_loss:.3g} off the mean score; the list's diversity is "
            f"{variety.list_diversity:.2f} instead of {variety.plain_diversity:.2f}.",
            err=True,
        )


def print_similar(items: Sequence[Mapping[str, Any]]) -> None:
    """Prints similar movies as a table."""
    rows = [[item.get(field) for field in ("rank", "movie_id", "title", "similarity")] for item in items]
    _print_table(["#", "movie", "title", "similarity"], rows)


def say_if_short(found: int, wanted: int, kind: str = "movie") -> None:
    """Says on stderr that a list is shorter than wanted."""
    if found < wanted:
        shown = {0: f"No {kind}", 1: f"Only one {kind}"}.get(found, f"Only {found:,} {kind}s")
        click.echo(f"{shown} can be listed.", err=True)


def say_if_retrain(manifest: Mapping[str, Any]) -> None:
    """Says on stderr that an index should be trained again, and why, where its updates say so."""
    updates = manifest.get("updates") or {}
    if updates.get("retrain"):
        click.echo(f"Train again with build-index: {updates['reason']}.", err=True)


def print_summary(manifest: Mapping[str, Any]) -> None:
    """Prints what an index says of itself, but for its settings, its files and what its report draws."""
    for line in _summary_lines({name: manifest[name] for name in manifest if name not in _NOT_SHOWN}):
        click.echo(line)
    files = manifest.get("files")
    if isinstance(files, Mapping):
        size = sum(entry["size"] for entry in files.values())
        click.echo(f"files: {len(files)}, {size / 1e6:,.1f} MB")


def _summary_lines(section: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for name, value in section.items():
        label = f"{indent}{cell_text(name).replace('_', ' ')}"
        if _is_comparison(value):
            columns = list(dict.fromkeys(column for row in value.values() for column in row))
            rows = [[key, *(row.get(column) for column in columns)] for key, row in value.items()]
            yield f"{label}:"
            yield format_table(["", *columns], rows, width=_width(), indent=f"{indent}  ")
        elif isinstance(value, Mapping):
            yield f"{label}:"
            yield from _summary_lines(value, f"{indent}  ")
        elif isinstance(value, list | tuple) and value and all(isinstance(row, Mapping) for row in value):
            columns = list(dict.fromkeys(column for row in value for column in row))
            rows = [[row.get(column) for column in columns] for row in value]
            yield f"{label}:"
            yield format_table(columns, rows, width=_width(), indent=f"{indent}  ")
        elif isinstance(value, list | tuple):
            yield f"{label}: {', '.join(map(cell_text, value)) or '-'}"
        else:
            yield f"{label}: {cell_text(value)}"


def _is_comparison(value: Any) -> bool:
    """Whether a section is a table: rows with the same kind of figures, such as metrics by model."""
    rows = list(value.values()) if isinstance(value, Mapping) else []
    return len(rows) > 1 and all(
        isinstance(row, Mapping)
        and row
        and not any(isinstance(cell, Mapping | list) for cell in row.values())
        for row in rows
    )


def _print_table(headings: list[str], rows: list[list[Any]]) -> None:
    click.echo(format_table(headings, rows, width=_width()))


def _width() -> int | None:
    """The width of the terminal; what goes to a file or a pipe is not cut."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _variants(item: Mapping[str, Any]) -> str | None:
    named = [
        f"{variant['movie_id']} ({variant['format']})" if variant["format"] else variant["movie_id"]
        for variant in item.get("variants") or ()
    ]
    return ", ".join(named) or None


def _reasons(item: Mapping[str, Any]) -> str | None:
    """The titles of the strongest reasons, as many as the column holds whole."""
    titles = [reason["title"] or reason["movie_id"] for reason in item.get("because") or ()]
    shown = titles[:1]
    for title in titles[1:]:
        if len(", ".join([*shown, title])) > _REASONS_WIDTH:
            break
        shown.append(title)
    return ", ".join(shown) or None


def _stars(item: Mapping[str, Any]) -> str | None:
    rating = item.get("predicted_rating")
    return None if rating is None else f"{rating:.1f}"


def _chance(item: Mapping[str, Any]) -> str | None:
    probability = item.get("like_probability")
    return None if probability is None else f"{probability:.0%}"


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
