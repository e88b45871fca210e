"""Reads the times that only their whole column explains, and counts the times that cannot be used."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.ingest.dates import ORDERS, Dates, read_dates
from pipelines.reading.sources import Source
from pipelines.work.database import run

if TYPE_CHECKING:
    import duckdb

_log = logging.getLogger(__name__)

_LINES_AT_ONCE = 2_000_000
"""The number of lines whose times one statement reads; an update of more lines would fill the memory."""
_DIGITS = {
    "seconds": "%Y%m%d%H%M%S",
    "minutes": "%Y%m%d%H%M",
    "days": "%Y%m%d",
    "months": "%Y%m",
    "years": "%Y",
}
"""The pattern of a number that is written like a date, by the last part of the date that the number has."""
_LEAST_SHARE = 0.95
"""The share of a column's numbers that must fit a meaning, so that all of the column's numbers have it."""
_MOST_PLACES = 100_000_000
"""A number below is a place in a sequence, if most of the times of the column are such numbers."""
_A_DAY = 86_400


def read_times(
    database: duckdb.DuckDBPyConnection, sources: Sequence[Source], time_format: str | None
) -> dict[str, int]:
    """Reads the times that the staging statements left as text in the column `raw_time`.

    The times of a file are one column with one format, which all times of the file decide, unless
    `time_format` names the format. A time that cannot be used is dropped, and the review stays. Returns the
    number of usable reviews that lost their time, by reason.
    """
    lost: Counter[str] = Counter()
    columns = (
        "select file, max(line) from staged_reviews where raw_time is not null group by file order by file"
    )
    for file, last_line in database.execute(columns).fetchall():
        numbers = "unix"
        if not (time_format and "%" in time_format):
            numbers = _meaning_of_numbers(database, sources[file], file, time_format)
            dates = _read_dates(database, sources[file], file, time_format)
            database.execute("create or replace temp table date_days (text varchar, day bigint)")
            if dates.days:
                database.executemany("insert into date_days values (?, ?)", list(dates.days.items()))
            for first in range(0, last_line + 1, _LINES_AT_ONCE):
                lines = {"first": first, "last": first + _LINES_AT_ONCE - 1}
                run(database, "staging/read_date_times", file=file, **lines)
                run(database, "staging/read_number_times", file=file, numbers=numbers, **lines)
            database.execute("drop table date_days")
        lost.update(_drop_lost(database, sources[file], file, numbers))
    return dict(lost.most_common())


def latest_day() -> date:
    """Returns the last day that a review may have: tomorrow, because a clock may be ahead."""
    return (datetime.now(UTC) + timedelta(days=1)).date()


def _meaning_of_numbers(
    database: duckdb.DuckDBPyConnection, source: Source, file: int, time_format: str | None
) -> str:
    """Returns what a number in a file's column of times means, as `read_number_times` names the meanings."""
    if time_format in ("unix", "excel"):
        return time_format
    counted = run(database, "staging/number_times", file=file).fetchone()
    assert counted is not None
    num_clear, num_numbers, *kinds = counted
    counts = dict(zip((*_DIGITS, "excel", "places"), kinds, strict=True))
    if not num_numbers:
        return "unix"
    for kind, pattern in _DIGITS.items():
        if counts[kind] >= _LEAST_SHARE * num_numbers:
            _log.info(
                "The times of %s are numbers that are written like dates, up to the %s", source.path, kind
            )
            return pattern
    if counts["excel"] >= _LEAST_SHARE * num_numbers:
        _log.info("The times of %s are numbers of days, as Excel counts days", source.path)
        return "excel"
    if counts["places"] >= _LEAST_SHARE * (num_clear + num_numbers):
        _log.info("The times of %s are places in a sequence, which give only the order", source.path)
        # A few larger numbers were taken for seconds since 1970, and have no place in the sequence.
        database.execute(
            "update staged_reviews set raw_time = unix_review_time, unix_review_time = null "
            "where file = $file and unix_review_time is not null",
            {"file": file},
        )
        return "places"
    return "unix"


def _read_dates(
    database: duckdb.DuckDBPyConnection, source: Source, file: int, time_format: str | None
) -> Dates:
    found = run(database, "staging/date_texts", file=file).fetchall()
    texts = {text: num_rows for text, num_rows, _ in found if text is not None}
    dates = read_dates(texts, latest_day(), time_format if time_format in ORDERS else None)
    if dates.other_order:
        examples = {text: example for text, _, example in found}
        shown = " and ".join(repr(examples[text]) for text in dates.doubtful[:2])
        _log.warning(
            "The dates in %s, such as %s, may be %s or %s; they are read as %s. Say --time-format %s if that "
            "is wrong.",
            source.path,
            shown,
            dates.order,
            dates.other_order,
            dates.order,
            dates.other_order,
        )
    elif dates.order:
        _log.info("The dates in %s are %s", source.path, dates.order)
    return dates


def _drop_lost(
    database: duckdb.DuckDBPyConnection, source: Source, file: int, numbers: str
) -> dict[str, int]:
    """Drops the impossible times of a file, and warns of them; returns the number of reviews by reason."""
    bounds = {"earliest": 0, "latest": _MOST_PLACES - 1}
    if numbers != "places":
        bounds = {"earliest": _A_DAY, "latest": int(datetime.now(UTC).timestamp()) + _A_DAY}
    lost = run(database, "staging/lost_times", file=file, **bounds).fetchall()
    if not lost:
        return {}
    database.execute(
        "update staged_reviews set unix_review_time = null where file = $file and raw_time is not null "
        "and unix_review_time not between $earliest and $latest",
        {"file": file, **bounds},
    )
    total = sum(num_rows for _, num_rows, *_ in lost)
    reasons = "; ".join(
        f"{num_rows:,} {reason}, first {example[:40]!r} in line {line:,}"
        for reason, num_rows, example, line in lost
    )
    _log.warning(
        "%s reviews of %s lose their time, and stay without it: %s. Say how times are written with "
        "--time-format, such as --time-format %%d.%%m.%%Y, or leave the times out with --columns time=.",
        f"{total:,}",
        source.path,
        reasons,
    )
    return {reason: num_rows for reason, num_rows, *_ in lost}
