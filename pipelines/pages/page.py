"""Builds a self-contained web page of tables, plots and escaped text; the page loads no other files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

_STYLE = """
:root { color-scheme: light dark; --text: #1c1e21; --page: #ffffff; --faint: #6a7077; --line: #d8dce1; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e8eb; --page: #16181b; --faint: #9aa1a9; --line: #363b41; }
}
body { color: var(--text); background: var(--page); font: 16px/1.5 system-ui, sans-serif;
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
p.note, figcaption, footer { color: var(--faint); font-size: .9rem; }
div.wide { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem 1rem .25rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; white-space: nowrap; }
td.number, th.number { text-align: right; white-space: nowrap; }
figure { margin: 1rem 0; }
figure svg { max-width: 100%; height: auto; color: var(--text); stroke-linejoin: round; }
figure svg circle:hover { stroke: currentColor; stroke-width: 2; fill-opacity: 1; }
span.key { margin-right: 1em; }
span.chip { display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .3em; }
"""


class Section(NamedTuple):
    """Holds a section of a web page: a heading and pieces of HTML."""

    heading: str
    """The heading of the section, as plain text."""
    parts: Sequence[str]
    """The pieces of HTML that functions such as `paragraph` and `table` return."""


def render_page(title: str, sections: Sequence[Section], footer: str = "") -> str:
    """Returns a complete web page as HTML, with a title, sections and a footer."""
    body = "\n".join(
        f"<section><h2>{escape(section.heading)}</h2>\n" + "\n".join(section.parts) + "\n</section>"
        for section in sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n{body}\n<footer>{escape(footer)}</footer></body></html>\n"
    )


def paragraph(text: str, *, note: bool = False) -> str:
    """Returns text as an HTML paragraph; `note=True` makes the letters smaller."""
    return f'<p class="note">{escape(text)}</p>' if note else f"<p>{escape(text)}</p>"


def heading(text: str) -> str:
    """Returns text as an HTML heading inside a section."""
    return f"<h3>{escape(text)}</h3>"


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Returns rows of values as an HTML table; columns of numbers are aligned to the right.

    The HTML table has no heading row if all headings are empty.

    >>> table(["film"], [["<b>"]])
    '<div class="wide"><table><tr><th>film</th></tr><tr><td>&lt;b&gt;</td></tr></table></div>'
    """
    columns = [[row[place] for row in rows] for place in range(len(headings))]
    numeric = [_is_numeric(column) for column in columns]
    written = [
        _number_cells(column) if is_number else [cell(value) for value in column]
        for column, is_number in zip(columns, numeric, strict=True)
    ]
    lines = [_row("th", headings, numeric)] if any(headings) else []
    lines += [_row("td", row, numeric) for row in zip(*written, strict=True)]
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def model_table(by_model: Mapping[str, Mapping[str, Any]], what: str) -> str:
    """Returns an HTML table with a line for each model; `what` is the heading of the column of names."""
    names = list(dict.fromkeys(name for figures in by_model.values() for name in figures))
    rows = [[model, *(figures.get(name) for name in names)] for model, figures in by_model.items()]
    return table([what, *names], rows)


def figures_table(by_model: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns an HTML table of metrics, with a line for each metric and a column for each model."""
    names = list(dict.fromkeys(name for figures in by_model.values() for name in figures))
    rows = [[name, *(figures.get(name) for figures in by_model.values())] for name in names]
    return table(["", *by_model], rows)


def facts_table(facts: Mapping[str, Any]) -> str:
    """Returns an HTML table with a line for each fact whose value is text, a number or None."""
    known = {
        name: value for name, value in facts.items() if value is None or isinstance(value, str | int | float)
    }
    return table(["", ""], [[name, cell(value)] for name, value in known.items()])


def account_of_rows(accounting: Mapping[str, Any]) -> list[str]:
    """Returns HTML tables that show how many rows of the input files were kept or dropped, and why."""
    names = ("read", "kept", "duplicate", "filtered", "rejected")
    reasons = [
        [what, reason, count]
        for what, by in (
            ("filtered", "filtered_by"),
            ("rejected", "rejected_by"),
            ("without their time", "times_lost_by"),
        )
        # The manifest of an index that an older version built has no counts of lost times.
        for reason, count in accounting.get(by, {}).items()
        if count
    ]
    parts = [
        table(names, [[accounting[name] for name in names]]),
        table(["file", "rows"], [[file["path"], file["rows"]] for file in accounting["files"]]),
    ]
    if reasons:
        parts.append(table(["", "reason", "rows"], reasons))
    if accounting["truncated"]:
        parts.append(paragraph(f"Cut off early: {', '.join(accounting['truncated'])}"))
    return parts


def drawing(svg: str, caption: str = "", legend: Sequence[tuple[str, str]] = ()) -> str:
    """Returns an SVG plot as an HTML figure with a caption; `legend` holds pairs of colour and text."""
    chips = "".join(
        f'<span class="key"><span class="chip" style="background:{escape(color)}"></span>'
        f"{escape(text)}</span> "
        for color, text in legend
    )
    keys = f"<div>{chips.strip()}</div>" if chips else ""
    return f"<figure>{svg}<figcaption>{escape(caption)}{keys}</figcaption></figure>"


def cell(value: Any) -> str:
    """Returns the text of a table cell: numbers with thousands separators and at most four decimals.

    The text for the values None and NaN is a dash.

    >>> cell(12345), cell(0.123456), cell(5.0), cell(None), cell(True)
    ('12,345', '0.1235', '5', '-', 'yes')
    """
    if value is None or value != value:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4f}"
    return str(value)


def _is_numeric(column: Sequence[Any]) -> bool:
    known = [value for value in column if value is not None]
    return bool(known) and all(isinstance(value, int | float) for value in known)


def _number_cells(column: Sequence[float | None]) -> list[str]:
    """Returns the texts of a column of numbers: no decimals if all are whole, and otherwise four decimals."""
    known = [value for value in column if value is not None and value == value]
    if all(float(value).is_integer() for value in known):
        return [cell(value) for value in column]
    return [cell(value) if value is None or value != value else f"{value:,.4f}" for value in column]


def _row(tag: str, cells: Sequence[str], numeric: Sequence[bool]) -> str:
    written = "".join(
        f'<{tag} class="number">{escape(text)}</{tag}>' if is_number else f"<{tag}>{escape(text)}</{tag}>"
        for text, is_number in zip(cells, numeric, strict=True)
    )
    return f"<tr>{written}</tr>"
