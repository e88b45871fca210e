"""Reads dates such as 28.10.2017 or Oct 28, 2017; all dates of a column have one order of day and month."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

EPOCH = date(1970, 1, 1).toordinal()
FIRST_DAY = date(1970, 1, 2)
"""The first day that a review may have; the day before, 1 January 1970, stands for a review without a
time."""

DAY_FIRST, MONTH_FIRST, YEAR_FIRST = "day-first", "month-first", "year-first"
ORDERS = {DAY_FIRST: (0, 1, 2), MONTH_FIRST: (1, 0, 2), YEAR_FIRST: (2, 1, 0)}
"""The orders of the three numbers in a date. The keys are the names of the orders; the values are the
positions of the day, the month and the year."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = re.compile(
    r"(?<![a-z])(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![a-z])\.?"
)
_SPARE_WORDS = re.compile(
    r"^.{0,60}\bon (?=[a-z]*\s?\d)|\b(?:mon|tues?|wed|wednes|thu|thurs?|fri|sat|satur|sun)(?:day)?\b\.?"
    r"|(?<=\d)(?:st|nd|rd|th)\b|\b(?:of|the|at)\b"
)
"""Matches the words that are removed from a date: weekdays, endings of ordinals such as "st", small words
such as "of", and the words before the date in "Reviewed on May 1, 2017"."""
_OTHER_CHARACTERS = re.compile(r"[\d\s/.,'\-年月日]*")


@dataclass(frozen=True, kw_only=True)
class Dates:
    """Holds the days of a column of dates, and the order of day, month and year in which dates were read."""

    days: Mapping[str, int]
    """The number of days from 1 January 1970 to each date that could be read; the keys are the dates as
    text."""
    order: str | None
    """The name of the order of day, month and year; None if no date of the column depends on the order."""
    other_order: str | None
    """The name of another order of day, month and year that fits the column as well as `order`; None if no
    other order fits as well."""
    doubtful: tuple[str, ...]
    """The dates that mean different days in the orders `order` and `other_order`, the most frequent date
    first."""


class _Written(NamedTuple):
    """Holds the numbers in the text of a date, and the month if the text names the month."""

    numbers: tuple[int, ...]
    """The numbers in the text of the date, in the order of the text."""
    lengths: tuple[int, ...]
    """The number of digits of each number in the date."""
    month: int | None
    """The month, from 1 to 12, if the date names the month; None if the date does not name the month."""
    separator: str
    """The character after the first number of the date."""


def read_dates(texts: Mapping[str, int], latest: date, order: str | None = None) -> Dates:
    """Reads the dates of a column; the dates must be in lower case, and must not have a time of day.

    The argument `texts` maps each date, as text, to the number of rows with the date. The argument `latest`
    is the last day that a review may have. If `order` is None, the function chooses the order of day, month
    and year in which the most rows have a date from 2 January 1970 to `latest`.
    """
    written = {text: parts for text in texts if (parts := _take_apart(text)) is not None}
    read = {
        name: {text: day for text, parts in written.items() if (day := _day(parts, name, latest))}
        for name in ORDERS
    }
    rows_in = {name: _rows_read(days, texts, latest) for name, days in read.items()}
    other = None
    if order is None:
        numeric = "".join(parts.separator for parts in written.values())
        usual = DAY_FIRST if any(mark in numeric for mark in ".-") else MONTH_FIRST
        by_rows = sorted(ORDERS, key=lambda name: (rows_in[name], name == usual), reverse=True)
        order = by_rows[0]
        tied = (name for name in by_rows[1:] if rows_in[name] == rows_in[order])
        other = next((name for name in tied if read[name] != read[order]), None)
    days = read[order]
    doubtful = [text for text in days if other is not None and read[other].get(text) != days[text]]
    return Dates(
        days={text: day.toordinal() - EPOCH for text, day in days.items()},
        order=order if order == YEAR_FIRST or read[DAY_FIRST] != read[MONTH_FIRST] else None,
        other_order=other,
        doubtful=tuple(sorted(doubtful, key=lambda text: (-texts[text], text))),
    )


def _rows_read(days: Mapping[str, date], texts: Mapping[str, int], latest: date) -> tuple[int, int]:
    """Returns two counts: rows with a date from 2 January 1970 to `latest`, and rows with a readable date."""
    possible = sum(texts[text] for text, day in days.items() if FIRST_DAY <= day <= latest)
    return possible, sum(texts[text] for text in days)


def _take_apart(text: str) -> _Written | None:
    """Splits a date into numbers and the name of a month; returns None for a text that is no date."""
    plain = _SPARE_WORDS.sub(" ", text)
    months = _MONTH.findall(plain)
    plain = _MONTH.sub(" ", plain)
    found = re.findall(r"\d+", plain)
    if len(months) > 1 or not 1 <= len(found) <= 3 or not _OTHER_CHARACTERS.fullmatch(plain):
        return None
    if any(len(number) > 8 for number in found):
        return None
    behind = plain[plain.index(found[0]) + len(found[0]) :]
    return _Written(
        tuple(map(int, found)),
        tuple(map(len, found)),
        _MONTHS.index(months[0][:3]) + 1 if months else None,
        behind[:1],
    )


def _day(parts: _Written, order: str, latest: date) -> date | None:
    """Returns the day of a date, read in an order such as "day-first"; None if the date is not possible."""
    numbers, lengths = parts.numbers, parts.lengths
    has_year = [length == 4 for length in lengths]
    if max(lengths) > 4:
        if lengths != (8,) or parts.month:
            return None
        return _date(numbers[0] // 10_000, numbers[0] // 100 % 100, numbers[0] % 100)
    if sum(has_year) > 1 or 3 in lengths:
        return None
    if parts.month:
        return _day_of_named_month(parts, order, latest)
    if len(numbers) == 3:
        if has_year[0]:
            return _date(*numbers)
        day, month, year = (numbers[place] for place in ORDERS[order])
        if has_year[1] or (has_year[2] and order == YEAR_FIRST):
            return None
        return _date(year if has_year[2] else _full_year(year, latest), month, day)
    if not any(has_year):
        return None
    year = numbers[has_year.index(True)]
    return _date(year, 1 if len(numbers) == 1 else numbers[has_year.index(False)], 1)


def _day_of_named_month(parts: _Written, order: str, latest: date) -> date | None:
    """Returns the day of a date such as 28 Oct 2017 or 28-Oct-17; reads Oct 2017 as 1 October 2017."""
    assert parts.month is not None
    years = [number for number, length in zip(parts.numbers, parts.lengths, strict=True) if length == 4]
    others = [number for number, length in zip(parts.numbers, parts.lengths, strict=True) if length < 4]
    if len(years) == 1 and len(others) <= 1:
        return _date(years[0], parts.month, others[0] if others else 1)
    if len(others) == 2 and not years:
        year, day = others if order == YEAR_FIRST else others[::-1]
        return _date(_full_year(year, latest), parts.month, day)
    return None


def _full_year(year: int, latest: date) -> int:
    """Completes a two-digit year xx to 20xx, or to 19xx if 20xx is later than the year after `latest`."""
    return 2000 + year if 2000 + year <= latest.year + 1 else 1900 + year


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
