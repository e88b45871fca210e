"""Prints records, facts and reports in the format that the user chose, for people or for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from engine.cli.tables import format_markdown, format_table, wrapped
from engine.cli.terminal import on_one_line, print_json, say

TableFormatter = Callable[[Sequence[str], Sequence[Sequence[Any]]], str]
"""A function that formats headings and rows as a table of text."""


def print_records(
    records: Sequence[Mapping[str, Any]], format: str, response: Mapping[str, Any] | None = None
) -> None:
    """Prints records in a format for programs; the format json prints `response` if it is given."""
    if format == "json":
        print_json(records if response is None else response)
    elif format == "jsonl":
        for record in records:
            print_json(record, indent=None)
    else:
        names = list(dict.fromkeys(name for record in records for name in record))
        file = io.StringIO()
        writer = csv.writer(file, "excel" if format == "csv" else "excel-tab", lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_field(record.get(name)) for name in names] for record in records)
        say(file.getvalue().removesuffix("\n"))


def print_report(
    found: Mapping[str, Any],
    format: str,
    lines: Callable[[TableFormatter], Iterable[str]],
    records: Sequence[Mapping[str, Any]],
) -> None:
    """Prints an answer that consists of sentences and tables, such as an evaluation.

    Args:
        found: the whole answer, for the format json.
        format: one of `listing.FORMATS`.
        lines: a function that returns the lines for people; its argument is a function that formats headings
            and rows as a table.
        records: the rows of the answer's main table, which the formats jsonl, csv and tsv print.
    """
    if format == "table":
        say("\n".join(map(wrapped, lines(format_table))))
    elif format == "markdown":
        # A table in Markdown must begin after an empty line.
        say("\n".join(lines(lambda headings, rows: f"\n{format_markdown(headings, rows)}")))
    else:
        print_records(records, format, found)


def print_facts(facts: Mapping[str, Any], format: str, print_text: Callable[[], None]) -> None:
    """Prints facts (values with names); the formats csv, tsv and markdown have one line for each fact.

    If the format is table, the function `print_text` prints the facts.
    """
    if format == "table":
        print_text()
    elif format == "markdown":
        say(format_markdown(["name", "value"], list(_flat(facts))))
    elif format in ("csv", "tsv"):
        print_records([{"name": name, "value": value} for name, value in _flat(facts)], format)
    else:
        print_records([facts], format, facts)


def _flat(facts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields the name and the value of each entry in `facts`; a list becomes JSON text.

    If the value of an entry is itself a mapping, its entries are yielded under joined names, such as
    `counts.reviews`.

    Example:
        >>> list(_flat({"seed": 42, "counts": {"movies": 7, "levels": [1, 5]}}))
        [('seed', 42), ('counts.movies', 7), ('counts.levels', '[1, 5]')]
    """
    from engine.config.values import flat_settings

    for name, value in flat_settings(facts).items():
        yield name, json.dumps(value) if isinstance(value, list | tuple) else value


def _field(value: Any) -> Any:
    """Converts a value to a field of a CSV file: a text on one line, a number, or JSON for another value."""
    if value is None:
        return ""
    if isinstance(value, str):
        return on_one_line(value)
    return (
        value
        if isinstance(value, int | float) and not isinstance(value, bool)
        else json.dumps(value, ensure_ascii=False)
    )
