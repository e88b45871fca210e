"""Decides whether ratings are stars or counts, such as plays, and rejects ratings far off the star scale."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Rows
from pipelines.work.database import run

if TYPE_CHECKING:
    import duckdb

_log = logging.getLogger(__name__)

_CODES = (77, 88, 97, 98, 99, 997, 998, 999, 9999, 99999, -9, -99, -999, -9999)
"""The numbers that data sets write in place of a missing rating."""
_MOST_ODD = 0.02
"""Ratings far off the scale are rejected only if such ratings are at most this share of all ratings. Ratings
in `_CODES`, and a single rating among more than `_FEW_RATINGS` ratings, are rejected at any share."""
_FEW_RATINGS = 20
"""If the data has more reviews than this number, a single rating far off all other ratings is rejected. The
share `_MOST_ODD` does not matter for a single rating."""
_FEWEST_LEVELS = 3
"""A rating scale has at least this number of different ratings."""
_FEWEST_COUNTS = 7
"""The ratings may be counts, such as plays, only if at least this number of different ratings are far above
the median rating."""
_LEAST_SKEW = 1.25
"""The ratings may be counts, such as plays, only if the mean rating, divided by the median rating, is at
least this number."""
_FAR_ABOVE = 4
"""A rating is far above the median rating if the rating is more than this number times the median rating."""
_MANY_ZEROS = 1 / 3
"""If at least this share of all ratings are 0, then 0 may stand for movies that were not rated."""


def judge_ratings(database: duckdb.DuckDBPyConnection, kind: str) -> None:
    """Decides whether staged ratings are stars or counts, and rejects ratings far off the scale of stars.

    The argument `kind` is the value of the setting `ingest.ratings`: "stars", "counts", or "auto" to decide
    by the ratings. The decision is written to the table `rating_kind`, which gets one row.
    """
    counted = kind == "counts"
    if kind == "auto":
        ratings, num_rows = _count_ratings(database)
        counted = are_counts(ratings, num_rows)
        if counted:
            _log.warning(
                "The ratings are taken for counts, such as plays or hours, because they go up to %g although "
                "half of them are at most %g. The higher half of the counts are likes, and no stars are "
                "predicted. Say --set ingest.ratings=stars or --set ingest.ratings=counts to decide it.",
                ratings[-1],
                _median(ratings, num_rows),
            )
    database.execute("create or replace table rating_kind as select $1::boolean as are_counts", [counted])
    if not counted:
        _reject_off_scale(database)


def are_counts(ratings: Doubles, num_rows: Rows) -> bool:
    """Tells whether ratings look like counts, such as plays: most are small, and a few are very large.

    The argument `ratings` holds the distinct ratings, ascending, and `num_rows` holds the number of rows with
    each rating. The ratings look like counts if the ratings meet five conditions:

    * Condition 1 for counts: no rating is negative.
    * Condition 2 for counts: the mean rating is at least 1.25 times the median rating.
    * Condition 3 for counts: more than 2% of all rows have a rating above four times the median rating.
    * Condition 4 for counts: at least seven distinct ratings are above four times the median rating.
    * Condition 5 for counts: the highest rating is at least 1.5 times the lowest rating that is above four
      times the median rating.

    Ratings of 0 are ignored, because a rating of 0 may stand for a movie that was not rated.
    """
    if not len(ratings) or ratings[0] < 0:
        return False
    ratings, num_rows = ratings[ratings > 0], num_rows[ratings > 0]
    if len(ratings) <= _FEWEST_COUNTS:
        return False
    median = _median(ratings, num_rows)
    far = ratings > _FAR_ABOVE * median
    if far.sum() < _FEWEST_COUNTS or num_rows[far].sum() <= _MOST_ODD * num_rows.sum():
        return False
    is_skewed = np.average(ratings, weights=num_rows) >= _LEAST_SKEW * median
    return bool(is_skewed and ratings[-1] >= 1.5 * ratings[far][0])


def _median(ratings: Doubles, num_rows: Rows) -> float:
    return float(ratings[np.searchsorted(num_rows.cumsum(), num_rows.sum() / 2)])


def _reject_off_scale(database: duckdb.DuckDBPyConnection) -> None:
    """Rejects staged reviews whose rating is far outside the scale of other ratings, and logs a warning."""
    ratings, num_rows = _count_ratings(database)
    odd = off_scale(ratings, num_rows)
    if odd.any():
        rest = ratings[~odd]
        _log.warning(
            "%s of %s ratings are %s, far off the others, which are %g to %g; these reviews are rejected. "
            "Say where likes begin among the others with --set rating.like_rating=RATING.",
            f"{num_rows[odd].sum():,}",
            f"{num_rows.sum():,}",
            _named(ratings[odd]),
            rest[0],
            rest[-1],
        )
        run(database, "staging/reject_off_scale", ratings=ratings[odd].tolist())
        ratings, num_rows = rest, num_rows[~odd]
    _warn_of_two_scales(ratings, num_rows)


def _warn_of_two_scales(ratings: Doubles, num_rows: Rows) -> None:
    """Warns if many ratings are far above all other ratings, as in a file with both stars and percentages."""
    below = len(ratings) - _num_beyond(ratings, num_rows, most_odd=1.0)
    if below < len(ratings):
        _log.warning(
            "%s of the ratings are %g or more, far above the others, which are %g to %g. If the high ratings "
            'are on another scale, leave them out with --where "rating <= %g".',
            f"{num_rows[below:].sum() / num_rows.sum():.0%}",
            ratings[below],
            ratings[0],
            ratings[below - 1],
            ratings[below - 1],
        )


def off_scale(ratings: Doubles, num_rows: Rows) -> NDArray[np.bool_]:
    """Marks the ratings that are outside the scale of the other ratings: bool [num_ratings].

    The argument `ratings` holds the distinct ratings, ascending, and `num_rows` holds the number of rows with
    each rating. A rating is outside the scale if a gap separates the rating from the other ratings, and the
    rating is either rare, or a code (such as 99) for a missing rating. A gap is the difference between a
    distinct rating and the next higher distinct rating. A gap separates high ratings from lower ratings if
    the gap is wider than the range of the lower ratings (highest minus lowest). A gap separates low ratings
    from higher ratings if the gap is wider than the range of the higher ratings. A rare low rating may be
    honest, so a low rating counts as outside the scale only if the rating is negative. The rating -1 counts
    as a code for a missing rating if all other ratings are at least 0.1.
    """
    coded = np.isin(ratings, _CODES)
    odd = np.zeros(len(ratings), dtype=bool)
    if len(plain := ratings[~coded]) >= 2:
        width = plain[-1] - plain[0]
        odd = coded & ((ratings > plain[-1] + width) | (ratings < plain[0] - width))
    while True:
        kept = np.flatnonzero(~odd)
        values, rows = ratings[kept], num_rows[kept]
        num_high, num_low = _num_beyond(values, rows), _num_beyond(-values[::-1], rows[::-1])
        num_negative = int((values < 0).sum())
        if num_low > num_negative:
            num_low = 0
        if len(values) > _FEWEST_LEVELS + 1 and values[0] == -1 and values[1] >= 0.1:
            num_low = 1
        if not num_high and not num_low:
            return odd
        odd[kept[len(kept) - num_high :]] = True
        odd[kept[:num_low]] = True


def _num_beyond(values: Doubles, num_rows: Rows, most_odd: float = _MOST_ODD) -> int:
    """Counts the distinct ratings above a wide gap between ratings, if few rows have such high ratings.

    The argument `values` holds the distinct ratings, ascending, and `num_rows` holds the number of rows with
    each rating. A gap is the difference between a distinct rating and the next higher distinct rating. A gap
    is wide if the gap is wider than the range (highest minus lowest) of all ratings below the gap.

    A wide gap is accepted only if at least _FEWEST_LEVELS distinct ratings are below the wide gap. A wide gap
    is accepted only if few rows have ratings above the wide gap: at most the share `most_odd` of all rows, or
    a single row of more than _FEW_RATINGS rows in all. The function counts the distinct ratings above the
    lowest accepted gap between ratings. If no gap between ratings is accepted, the function returns 0.
    """
    if len(values) <= _FEWEST_LEVELS:
        return 0
    wide = np.diff(values) > values[:-1] - values[0]
    num_beyond, total = num_rows[::-1].cumsum()[::-1][1:], num_rows.sum()
    rare = (num_beyond <= most_odd * total) | ((num_beyond == 1) & (total > _FEW_RATINGS))
    starts = 1 + np.flatnonzero(wide & rare)
    starts = starts[starts >= _FEWEST_LEVELS]
    return int(len(values) - starts[0]) if len(starts) else 0


def warn_of_zeros(database: duckdb.DuckDBPyConnection) -> None:
    """Warns if very many ratings are 0, although all other ratings are at least 1."""
    ratings, num_rows = _count_ratings(database)
    if len(ratings) <= _FEWEST_LEVELS + 1 or ratings[0] != 0 or ratings[1] < 1:
        return
    share = num_rows[0] / num_rows.sum()
    if share >= _MANY_ZEROS:
        _log.warning(
            "%s of the ratings are 0, and the others are %g to %g. If 0 stands for a movie that was not "
            'rated, say --where "rating > 0".',
            f"{share:.0%}",
            ratings[1],
            ratings[-1],
        )


def _count_ratings(database: duckdb.DuckDBPyConnection) -> tuple[Doubles, Rows]:
    """Returns the distinct ratings of usable staged reviews, ascending, and each rating's number of rows."""
    found = database.execute(
        "select rating, count(*) as num_rows from staged_reviews "
        "where reason is null and rating is not null group by rating order by rating"
    ).fetchnumpy()
    return np.asarray(found["rating"]), np.asarray(found["num_rows"])


def _named(ratings: Doubles) -> str:
    shown = ", ".join(f"{rating:g}" for rating in ratings[:5])
    return shown if len(ratings) <= 5 else f"{shown} and {len(ratings) - 5:,} more"
