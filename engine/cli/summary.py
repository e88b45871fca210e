"""Prints a summary of an index at the end of a build, and the manifest for `engine info`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.artifact.layout import (
    ACCOUNTING_SECTION,
    AUDIT_SECTION,
    BASELINES_SECTION,
    BUILD_ENTRY,
    CALIBRATION_SECTION,
    CONFIG_SECTION,
    COUNTS_SECTION,
    FILES_ENTRY,
    METRICS_SECTION,
    REPORT_FILE,
    UPDATES_SECTION,
)
from engine.cli.tables import cell_text, format_table, wrapped
from engine.cli.terminal import on_one_line, say

_NOT_SHOWN = (FILES_ENTRY, CONFIG_SECTION, CALIBRATION_SECTION, BASELINES_SECTION)
"""The manifest sections that are too long for a screen; the option --json prints them too."""
_MODEL, _POPULARITY, _CONSTANT = "ncf", "popularity", "constant"
_RANKING = "ndcg@10"
_LABEL = 10
"""The width, in characters, of the labels in the summary that ends a build."""
_MOST_NUMBERS = 12
"""The largest length of a list of numbers that is printed whole; of a longer list, the length and both ends
are printed."""


def print_build(manifest: Mapping[str, Any], directory: Path, reviewer_id: str) -> None:
    """Prints the summary at the end of a build: counts, metrics, a verdict, and commands to run next.

    Args:
        manifest: the manifest of the new index.
        directory: the directory of the index.
        reviewer_id: the id of any reviewer of the index, which the suggested command `engine recommend`
            contains.
    """
    option = "" if str(directory) == "movie-index" else f" --index {shlex.quote(str(directory))}"
    separator = "-- " if reviewer_id.startswith("-") else ""
    _print_lines(
        {
            **dict(_quality_lines(manifest)),
            "index in": str(directory),
            "report": str(directory / manifest[BUILD_ENTRY] / REPORT_FILE),
            "more": f"engine info{option}",
            "next": f"engine recommend reviewer{option} {separator}{shlex.quote(reviewer_id)}",
        }
    )


def print_index(manifest: Mapping[str, Any]) -> None:
    """Prints a few lines on the content and the quality of an index, and then prints the manifest."""
    _print_lines(dict(_quality_lines(manifest)))
    say()
    print_summary(manifest)


def say_if_retrain(manifest: Mapping[str, Any]) -> None:
    """Prints to stderr why an index should be trained again, if the manifest gives a reason."""
    updates = manifest.get(UPDATES_SECTION) or {}
    if updates.get("retrain"):
        say(f"Train again with build-index: {updates['reason']}.", err=True)


def print_summary(manifest: Mapping[str, Any]) -> None:
    """Prints a manifest without the sections of `_NOT_SHOWN`; prints the total size of the index's files."""
    _print_section({name: manifest[name] for name in manifest if name not in _NOT_SHOWN})
    left_out = (manifest.get(BASELINES_SECTION) or {}).get("left_out")
    if left_out:
        _print_value("baselines left out", left_out, "")
    files = manifest.get(FILES_ENTRY)
    if isinstance(files, Mapping):
        size = sum(entry["size"] for entry in files.values())
        say(f"files: {len(files)}, {size / 1e6:,.1f} MB")


def _print_lines(lines: Mapping[str, str]) -> None:
    for label, line in lines.items():
        say(wrapped(f"{label:<{_LABEL}}{on_one_line(line)}", hanging=" " * _LABEL))


def _quality_lines(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields the labels and lines of the summary: counts of rows, metrics, and a verdict."""
    rows, counts = (manifest.get(name) or {} for name in (ACCOUNTING_SECTION, COUNTS_SECTION))
    if "read" in rows:
        parts = ("kept", "duplicate", "filtered", "rejected")
        became = " + ".join(f"{rows[part]:,} {part}" for part in parts if rows.get(part))
        yield "rows", f"{rows['read']:,} read = {became}"
    if counts:
        names = ("reviews", "reviewers", "movies", "cold_movies")
        kept = [f"{counts[name]:,} {name.removesuffix('_movies')}" for name in names if counts.get(name)]
        yield "kept", ", ".join(kept)
    figures = manifest.get(METRICS_SECTION) or {}
    ours = figures.get(_MODEL) or {}
    ranked = {name: one[_RANKING] for name, one in figures.items() if one.get(_RANKING) is not None}
    verdict = "Too few reviews are held out to say how good the lists are."
    if _MODEL in ranked and _POPULARITY in ranked:
        figure, popularity = ranked.pop(_MODEL), ranked.pop(_POPULARITY)
        best = max(ranked, key=lambda name: ranked[name], default=None)
        named = f", best baseline ({best}) {ranked[best]:.3f}" if best else ""
        yield "lists", f"NDCG@10 {figure:.3f}; popularity {popularity:.3f}{named}"
        than = f", {_compared(figure, ranked[best])} {best}" if best else ""
        verdict = f"Lists are {_compared(figure, popularity)} popularity{than}."
    if ours.get("mae") is not None and _CONSTANT in figures:
        constant = figures[_CONSTANT]
        yield (
            "ratings",
            f"MAE {ours['mae']:.3f}, RMSE {ours['rmse']:.3f} stars; "
            f"a constant {constant['mae']:.3f}, {constant['rmse']:.3f}",
        )
    yield "verdict", verdict
    if "recall" in (manifest.get(AUDIT_SECTION) or {}):
        yield "search", f"finds {manifest[AUDIT_SECTION]['recall']:.4f} of the best movies of all"


def _compared(figure: float, other: float) -> str:
    """Says in words how much better or worse the first of two numbers is, if a higher number is better.

    Example:
        >>> _compared(0.24, 0.1), _compared(0.11, 0.1), _compared(0.09, 0.1), _compared(0.1, 0.0)
        ('2.4 times as good as', '10% better than', '10% worse than', 'better than')
    """
    if other <= 0:
        return "better than" if figure > other else "as good as"
    ratio = figure / other
    if ratio >= 1.5:
        return f"{ratio:.1f} times as good as"
    if abs(ratio - 1) < 0.005:
        return "as good as"
    return f"{abs(ratio - 1):.0%} {'better' if ratio > 1 else 'worse'} than"


def _print_section(section: Mapping[str, Any], indent: str = "") -> None:
    for name, value in section.items():
        label, inner = f"{indent}{cell_text(name).replace('_', ' ')}:", f"{indent}  "
        is_list = isinstance(value, list | tuple)
        if _is_comparison(value):
            say(label)
            _print_comparison(value, inner)
        elif isinstance(value, Mapping) and value:
            say(label)
            _print_section(value, inner)
        elif is_list and value and all(isinstance(row, Mapping) for row in value):
            say(label)
            _print_rows(value, inner)
        else:
            _print_value(name.replace("_", " "), value, indent)


def _print_value(name: str, value: Any, indent: str) -> None:
    """Prints a name and a value on as many lines as necessary; breaks lines only at blanks."""
    if isinstance(value, list | tuple):
        if len(value) > _MOST_NUMBERS and all(isinstance(one, float) for one in value):
            ends = f"{cell_text(value[0])} to {cell_text(value[-1])}"
            text = f"{len(value)} numbers, from {ends}"
        else:
            text = ", ".join(map(cell_text, value)) or "-"
    else:
        text = "-" if isinstance(value, Mapping) else cell_text(value)
    say(wrapped(f"{cell_text(name)}: {text}", indent))


def _is_comparison(value: Any) -> bool:
    """Tells whether a value of a manifest is a table, such as the metrics of each model."""
    rows = list(value.values()) if isinstance(value, Mapping) else []
    return len(rows) > 1 and all(
        isinstance(row, Mapping)
        and row
        and not any(isinstance(cell, Mapping | list) for cell in row.values())
        for row in rows
    )


def _print_comparison(rows: Mapping[str, Mapping[str, Any]], indent: str) -> None:
    """Prints metrics as a table; swaps rows and columns if the table would have more columns than rows."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    if len(names) > len(rows):
        lines = [[name, *(row.get(name) for row in rows.values())] for name in names]
        say(format_table(["", *rows], lines, indent=indent))
    else:
        _print_rows([{"": key, **row} for key, row in rows.items()], indent)


def _print_rows(rows: Sequence[Mapping[str, Any]], indent: str) -> None:
    """Prints rows as a table that has a column for each field that any row has."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    say(format_table(columns, [[row.get(column) for column in columns] for row in rows], indent=indent))
