"""Reads the review times in files, after recognising the format of the times, and counts unusable times.

All times of a file together show which format the times have.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.ingest.dates import ORDERS, read_dates
from pipelines.reading.sources import Source
from pipelines.work.database import run

if TYPE_CHECKING:
    import duckdb

_log = logging.getLogger(__name__)

_LINES_AT_ONCE = 2_000_000
"""The number of lines whose times one SQL statement reads; a statement for more lines would fill the
memory."""
_DIGITS = {
    "seconds": "%Y%m%d%H%M%S",
    "minutes": "%Y%m%d%H%M",
    "days": "%Y%m%d",
    "months": "%Y%m",
    "years": "%Y",
}
"""The patterns of numbers that are written like dates, such as 20171028; the keys are the smallest units of
time in the numbers."""
_LEAST_SHARE = 0.8
"""The numbers in a time column are read as a kind of time, such as Excel's days, if at least this share of
the numbers fits the kind of time."""
_MOST_PLACES = 100_000_000
"""If most values of a time column are below this number, the values are positions in a sequence (1, 2, 3),
and not seconds or milliseconds."""
_A_DAY = 86_400
_LENGTH_SHOWN = 40
"""The largest number of characters of an unusable time that a warning shows."""
_ADVICE = (
    " Say how times are written with --time-format, such as --time-format %d.%m.%Y, or leave the times out "
    "with --columns time=."
)
_DAY_BEFORE_MONTH = re.compile(r"\d{4}[-/.](1[3-9]|[23]\d)[-/.](0?[1-9]|1[0-2])")
"""Matches a date with the year first and the day before the month, such as 2017-28-10."""


def read_times(
    database: duckdb.DuckDBPyConnection, sources: Sequence[Source], time_format: str | None
) -> dict[str, int]:
    """Reads the review times that are still text, in the column `raw_time` of the table `staged_reviews`.

    All times of a file have one format, which is recognised from all times of the file if `time_format` is
    None. A review whose time cannot be used is kept without a time. The function returns how many review
    times were unusable, for each reason; the keys are reasons such as "cannot be read".
    """
    lost: Counter[str] = Counter()
    run(database, "staging/times")
    columns = (
        "select file, max(line) from staged_reviews where raw_time is not null group by file order by file"
    )
    for file, last_line in database.execute(columns).fetchall():
        numbers = None
        if not (time_format and "%" in time_format):
            numbers = _meaning_of_numbers(database, sources[file], file, time_format)
            _read_dates(database, sources[file], file, last_line, time_format)
            if numbers is not None:
                for lines in _parts(last_line):
                    run(database, "staging/read_number_times", file=file, numbers=numbers, **lines)
        lost.update(_drop_lost(database, sources[file], file, numbers))
    return dict(lost.most_common())


def _parts(last_line: int) -> Iterator[dict[str, int]]:
    """Divides the lines of a file into blocks; yields the first and the last line number of each block."""
    for first in range(0, last_line + 1, _LINES_AT_ONCE):
        yield {"first": first, "last": first + _LINES_AT_ONCE - 1}


def latest_day() -> date:
    """Returns the last day that a review may have, which is tomorrow, because a clock may be ahead."""
    return (datetime.now(UTC) + timedelta(days=1)).date()


def _meaning_of_numbers(
    database: duckdb.DuckDBPyConnection, source: Source, file: int, time_format: str | None
) -> str | None:
    """Returns the format of those times of a file that are numbers; None if the file has no times to read.

    The SQL file `staging/read_number_times` explains the formats of numbers.
    """
    counted = run(database, "staging/number_times", file=file).fetchone()
    assert counted is not None
    num_clear, num_left, num_numbers, *kinds = counted
    counts = dict(zip((*_DIGITS, "excel", "places"), kinds, strict=True))
    if not num_left:
        return None
    if time_format in ("unix", "excel"):
        return time_format
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
        # A few larger numbers, which were taken for seconds since 1970, are no positions in the sequence.
        database.execute(
            "update staged_reviews set raw_time = unix_review_time, unix_review_time = null "
            "where file = $file and unix_review_time is not null",
            {"file": file},
        )
        return "places"
    return "unix"


def _read_dates(
    database: duckdb.DuckDBPyConnection, source: Source, file: int, last_line: int, time_format: str | None
) -> None:
    """Reads the dates among the times of a file; warns if the order of day and month is uncertain."""
    found = run(database, "staging/date_texts", file=file).fetchall()
    if not found:
        return
    texts = {text: num_rows for text, num_rows, _ in found if text is not None}
    reversed_dates = [example for text, _, example in found if text and _DAY_BEFORE_MONTH.fullmatch(text)]
    if reversed_dates:
        _log.warning(
            "Dates such as %r in %s have the day before the month, so dates such as 2017-05-10 there may be "
            "wrong; say --time-format %%Y-%%d-%%m, with what follows the date.",
            reversed_dates[0],
            source.path,
        )
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
    database.execute(
        "create or replace temp table date_days as "
        "select unnest($texts::varchar[]) as text, unnest($days::bigint[]) as day",
        {"texts": list(dates.days), "days": list(dates.days.values())},
    )
    for lines in _parts(last_line):
        run(database, "staging/read_date_times", file=file, **lines)
    database.execute("drop table date_days")


def _drop_lost(
    database: duckdb.DuckDBPyConnection, source: Source, file: int, numbers: str | None
) -> dict[str, int]:
    """Drops the unusable times of a file, and logs a warning; counts the dropped times by reason."""
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
    _log.warning(
        "Dropped %s of the times in %s, and kept the reviews: %s.%s",
        f"{sum(num_rows for _, num_rows, *_ in lost):,}",
        source.path,
        ", ".join(
            f"{num_rows:,} {reason} (first {example[:_LENGTH_SHOWN]!r} in line {line:,})"
            for reason, num_rows, example, line in lost
        ),
        _ADVICE if any(reason == "cannot be read" for reason, *_ in lost) else "",
    )
    return {reason: num_rows for reason, num_rows, *_ in lost}
