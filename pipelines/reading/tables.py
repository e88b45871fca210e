"""Which column of a table is which of ours, by what the user said or by its obvious name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.errors import ConfigError, SourceError

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
"""Our columns of a review, and the names that they go by, in lower case, best first."""

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
"""Our columns of a movie, likewise."""

NAMEABLE = ("reviewer", "movie", "rating", "time")
"""What `--columns` may name."""


def match_columns(
    path: Path,
    header: Sequence[str],
    given: Mapping[str, str],
    known: Mapping[str, Sequence[str]],
    required: Sequence[str],
) -> dict[str, int]:
    """Finds our columns among those of a table.

    Args:
        path: the table, for the messages.
        header: its column names.
        given: what the user said: our name to theirs.
        known: the names to look for where the user said nothing, such as `REVIEW_COLUMNS`.
        required: those of ours that must be there.

    Returns:
        The position of each column that was found, counted from 0.

    Raises:
        ConfigError: the user names a column that the table does not have, or one of ours that does not exist.
        SourceError: a required column was neither named nor found.
    """
    for name in given:
        if name not in NAMEABLE:
            raise ConfigError(
                f"--columns knows {', '.join(NAMEABLE)}, not {name!r}{_did_you_mean(name, NAMEABLE)}."
            )
    found: dict[str, int] = {}
    lowered = [name.casefold() for name in header]
    for name, obvious in known.items():
        if name in given:
            found[name] = _position(path, header, name, given[name])
        else:
            # Asked column by column in the order of preference, so that two that fit do not depend on theirs.
            position = next((lowered.index(other) for other in obvious if other in lowered), None)
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
