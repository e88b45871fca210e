"""Prints lists of answers (as a table, as cards or in a format for programs) and remarks on the lists."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from engine.cli.output import print_records
from engine.cli.tables import format_markdown, format_table, screen_width
from engine.cli.terminal import on_one_line, say
from engine.likeness import Likeness

if TYPE_CHECKING:
    from engine.answers import Answer, Variety

Column = str | Callable[[Any], Any]
"""A column of a printed table: the name of a field of the answer, or a function that computes the value to
print from the answer."""
Columns = Mapping[str, Column]
"""The columns of a printed table, by heading."""

FORMATS = ("table", "json", "jsonl", "csv", "tsv", "markdown")
"""The formats in which commands print answers: table and markdown for people; json, jsonl, csv and tsv for
programs."""
_HEADINGS = {
    "rank": "#",
    "movie_id": "movie",
    "reviewer_id": "reviewer",
    "predicted_rating": "stars",
    "like_probability": "like",
    "because": "because of",
}
"""Maps the names of fields to the headings of their columns; a field that is missing here has its name as
heading."""
_LONGEST_LINE = 80
"""The largest number of characters in a line of a movie's printed card."""


def is_for_people(format: str) -> bool:
    """Tells whether a format is for people; for people, commands also print remarks about the answers."""
    return format in ("table", "markdown")


def read_columns(text: str, kind: type[Answer]) -> dict[str, Column]:
    """Reads the value of the option --columns: column names with commas between them.

    A column name is the name of a field of the answers, such as predicted_rating, or the heading of the
    field, such as stars. The function returns a dictionary that maps each heading to the name of a field.

    Raises:
        click.UsageError: the answers of the class `kind` have no column of a given name; the text names no
            column.
    """
    from engine.catalogue.cards import CARD_FIELDS

    known = [field.name for field in fields(kind)]
    if "card" in known:
        known.remove("card")
        known += [name for name in CARD_FIELDS if name not in known]
    by_heading = {heading: name for name, heading in _HEADINGS.items()}
    chosen: dict[str, Column] = {}
    for name in filter(None, map(str.strip, text.split(","))):
        field = by_heading.get(name, name)
        if field not in known:
            import difflib

            close = difflib.get_close_matches(name, [*known, *by_heading], n=1)
            advice = f" Did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(
                f"There is no column {name!r}.{advice} The columns are {', '.join(known)}."
            )
        chosen[_HEADINGS.get(field, field.replace("_", " "))] = field
    if not chosen:
        raise click.UsageError("The option --columns names no column; write for example title,price.")
    return chosen


def print_list(
    answers: Sequence[Any],
    usual: Columns,
    format: str,
    response: Callable[[], Mapping[str, Any]] = dict,
    *,
    chosen: Columns | None = None,
    cards: bool = False,
) -> None:
    """Prints a list of answers in one of the `FORMATS`.

    Args:
        answers: the list of answers to print.
        usual: the columns of the table if the user did not choose any columns.
        format: one of `FORMATS`.
        response: a function that returns the dictionary to print in the format json; the list of answers is
            one value of the dictionary.
        chosen: the columns that the user chose; None if the user did not choose any columns.
        cards: True to print a card of several lines for each movie, False to print a table with a row for
            each movie.
    """
    if format == "table" and cards:
        say("\n\n".join("\n".join(_card_lines(answer)) for answer in answers))
    elif is_for_people(format):
        columns = usual if chosen is None else chosen
        rows = [[_cell(answer, column) for column in columns.values()] for answer in answers]
        say((format_table if format == "table" else format_markdown)(list(columns), rows))
    else:
        records = [answer.to_dict() for answer in answers]
        whole = response() if format == "json" else {}
        if chosen is not None:
            names = [str(column) for column in chosen.values()]
            shorter = [{name: record.get(name) for name in names} for record in records]
            whole = {name: shorter if value == records else value for name, value in whole.items()}
            records = shorter
        print_records(records, format, whole)


def judgement(answers: Sequence[Any]) -> Columns:
    """Returns the columns for what the model predicts: ratings or relevance, and reasons if there are any."""
    names = ["relevance"]
    if any(answer.predicted_rating is not None for answer in answers):
        names = ["predicted_rating", "like_probability"]
        if all(answer.predicted_rating == answer.like_probability for answer in answers):
            # If the only rating levels are 0 and 1, as for ratings made from counts, the chance of a like is
            # the whole prediction.
            names = ["like_probability"]
    if any(answer.because for answer in answers):
        names.append("because")
    return {_HEADINGS.get(name, name): name for name in names}


def say_variety(variety: Variety | None) -> None:
    """Prints to stderr how diversity and novelty changed a list; prints nothing if `variety` is None."""
    if variety is not None:
        say(
            f"Variety took {variety.score_loss:.3g} off the mean score; diversity is "
            f"{variety.list_diversity:.2f} instead of {variety.plain_diversity:.2f}.",
            err=True,
        )


def say_if_short(found: int, wanted: int, kind: str = "movie") -> None:
    """Prints to stderr that a list holds fewer answers than the user wanted; `kind` names the answers."""
    if found < wanted:
        shown = {0: f"No {kind}", 1: f"Only one {kind}"}.get(found, f"Only {found:,} {kind}s")
        say(f"{shown} can be listed.", err=True)


def _cell(answer: Any, column: Column) -> Any:
    """Returns the value of a column for one answer, formatted for people."""
    if callable(column):
        return column(answer)
    value = getattr(answer, column) if hasattr(answer, column) else getattr(answer, "card", {}).get(column)
    return value if value is None or column not in _SHOWN else _SHOWN[column](value)


def _reasons(because: Sequence[Any] | Likeness) -> tuple[str, ...] | None:
    """Returns, as texts, the reasons why a movie is listed; None if there are no reasons.

    In a recommendation list, a reason is a movie that the reviewer reviewed: the title, or the id of a movie
    without a title. In a list of similar movies, a reason says what the listed movie has in common with the
    movie that the user named.
    """
    if isinstance(because, Likeness):
        return because.described() or None
    return tuple(reason.title or reason.movie_id for reason in because) or None


def _variants(variants: Sequence[Any]) -> tuple[str, ...] | None:
    named = (
        f"{variant.movie_id} ({variant.format})" if variant.format else variant.movie_id
        for variant in variants
    )
    return tuple(named) or None


def _chances(chances: Mapping[str, float]) -> str:
    return ", ".join(f"{float(level):g}: {chance:.0%}" for level, chance in chances.items())


_SHOWN: dict[str, Callable[[Any], Any]] = {
    "predicted_rating": "{:.1f}".format,
    "rating": "{:g}".format,
    "median_rating": "{:g}".format,
    "like_probability": "{:.0%}".format,
    "rating_probabilities": _chances,
    "average_rating": "{:.1f}".format,
    "price": "{:.2f}".format,
    "year": str,
    "because": _reasons,
    "variants": _variants,
    "links": ", ".join,
}
"""Maps the names of fields to the functions that format the values of the fields for people; `cell_text`
formats all other fields."""


def _card_lines(answer: Any) -> Iterator[str]:
    """Yields the lines of a movie's printed card: predictions, facts about the movie, and reasons."""
    card = answer.card
    yield on_one_line(f"{answer.rank}. {answer.title or answer.movie_id}")[:_LONGEST_LINE]
    similarity = getattr(answer, "similarity", None)
    stars, like = (getattr(answer, name, None) for name in ("predicted_rating", "like_probability"))
    average, count = card["average_rating"], card["movie_count"]
    facts = [
        None if similarity is None else f"similarity {similarity:.2f}",
        None if stars is None or stars == like else f"{stars:.1f} stars predicted",
        None if like is None else f"{like:.0%} like",
        None if average is None else f"{average:.1f} on average",
        f"{count or 0:,} review{'' if count == 1 else 's'}",
    ]
    of_movie = [card["category"] or card["main_cat"], card["year"], card["brand"]]
    known = [" · ".join(str(fact) for fact in facts if fact is not None)]
    known.append(" · ".join(str(fact) for fact in of_movie if fact is not None))
    if card["price"] is not None:
        known.append(f"price {card['price']:.2f}")
    if card["title_source"] != "description":
        known.append(card["description"] or "")
    reasons = _reasons(getattr(answer, "because", None) or ())
    known += [f"because of {', '.join(reasons)}" if reasons else "", f"id {answer.movie_id}"]
    width = min(screen_width(), _LONGEST_LINE)
    for fact in filter(None, known):
        yield from textwrap.wrap(
            on_one_line(fact),
            width,
            initial_indent="   ",
            subsequent_indent="   ",
            max_lines=3,
            placeholder="…",
        )
    if card["link"]:
        # A link is neither cut nor wrapped, because nobody could open a cut or wrapped link.
        yield f"   {on_one_line(card['link'])}"
