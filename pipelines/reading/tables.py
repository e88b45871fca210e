"""Opens Parquet files, and finds the columns of tables by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ConfigError, SourceError

if TYPE_CHECKING:
    import duckdb

_REVIEWER = "reviewer_id reviewer user_id userid user customer_id customerid uid"
_MOVIE = "movie_id movie item_id itemid item parent_asin asin movieid product_id productid iid"
_TIME = (
    "unix_review_time unixreviewtime review_time reviewtime timestamp time date datetime rated_at created_at"
)

REVIEW_COLUMNS: Mapping[str, Sequence[str]] = {
    "reviewer": _REVIEWER.split(),
    "movie": _MOVIE.split(),
    "rating": ("rating", "ratings", "overall", "stars", "score"),
    "time": _TIME.split(),
    "verified": ("verified", "verified_purchase"),
    "style": ("style",),
    "reviewer_name": ("reviewer_name", "reviewername"),
    "vote": ("vote", "helpful_vote"),
    "review_text": ("review_text", "reviewtext"),
    "summary": ("summary",),
}
"""Maps each column of a review to the column's usual names in tables, in lower case, best first."""

MOVIE_COLUMNS: Mapping[str, Sequence[str]] = {
    "movie": (*REVIEW_COLUMNS["movie"], "id"),
    "title": ("title", "movie_title", "name"),
    "category": ("category", "categories", "genres", "genre"),
    "main_cat": ("main_cat", "main_category"),
    "description": ("description", "overview", "plot"),
    "brand": ("brand", "store", "studio", "publisher"),
    "price": ("price",),
    "rank": ("rank",),
    "year": ("year",),
    "date": ("date", "release_date"),
    "links": ("links", "link", "url"),
}
"""Maps each column of a movie to the column's usual names in tables, in lower case, best first."""

NAMEABLE = ("reviewer", "movie", "rating", "time")
"""The columns of a review for which the option `--columns` may give the name in the table."""


def match_columns(
    path: Path,
    header: Sequence[str],
    given: Mapping[str, str],
    known: Mapping[str, Sequence[str]],
    required: Sequence[str],
) -> dict[str, int]:
    """Returns the position, counted from 0, in a table's header of each review or movie column that is found.

    `known` maps each column to the column's usual names in tables, as `REVIEW_COLUMNS` does. `given` maps
    columns to the names that the user gave; a given name replaces the usual names of the column.

    Raises:
        ConfigError: `given` has a name that is not in the header, or a column that is not in `NAMEABLE`.
        SourceError: a column of `required` was neither given nor found.
    """
    for name in given:
        if name not in NAMEABLE:
            raise ConfigError(
                f"--columns knows {', '.join(NAMEABLE)}, not {name!r}{_did_you_mean(name, NAMEABLE)}."
            )
    found: dict[str, int] = {}
    lowered = [name.casefold() for name in header]
    for name, usual in known.items():
        if name in given:
            found[name] = _position(path, header, name, given[name])
        else:
            # If several columns of the table have usual names, the order of the usual names decides.
            position = next((lowered.index(other) for other in usual if other in lowered), None)
            if position is not None:
                found[name] = position
    missing = [name for name in required if name not in found]
    if missing:
        raise SourceError(
            f"Cannot tell which column of {path} is the {' and which the '.join(missing)}; its columns are "
            f"{', '.join(header)}; say it with --columns, such as "
            f"--columns {','.join(f'{name}=NAME' for name in NAMEABLE)}.",
            path=path,
        )
    return found


def _position(path: Path, header: Sequence[str], name: str, wanted: str) -> int:
    if wanted in header:
        return list(header).index(wanted)
    raise ConfigError(
        f"--columns says that the {name} is in the column {wanted!r}, which {path} does not have"
        f"{_did_you_mean(wanted, header)}; its columns are {', '.join(header)}."
    )


def _did_you_mean(wanted: str, names: Sequence[str]) -> str:
    lowered = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(wanted.casefold(), lowered, n=1, cutoff=0.5)
    return f" (did you mean {lowered[close[0]]!r}?)" if close else ""


def open_parquet(
    database: duckdb.DuckDBPyConnection, path: Path, *, file_row_number: bool = False
) -> duckdb.DuckDBPyRelation:
    """Opens a Parquet file as a DuckDB relation, whose rows are read only when they are fetched.

    If `file_row_number` is true, a column of that name numbers the rows from 0.

    Raises:
        SourceError: the file is damaged.
    """
    import duckdb

    try:
        return database.read_parquet(str(path), file_row_number=file_row_number)
    except duckdb.Error as error:
        raise damaged_parquet(path, error) from error


def damaged_parquet(path: Path, error: Exception) -> SourceError:
    """Returns the error for a Parquet file that DuckDB cannot read."""
    reason = str(error).split("\n", 1)[0]
    return SourceError(f"{path} is not a Parquet file that can be read: {reason}", path=path)
