"""Defines how often each kind of error occurs in synthetic files, and damages lines of the files."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import NamedTuple

from engine.errors import ConfigError

MISSING_FIELDS = ("reviewerID", "asin", "overall")
"""The fields of a review line that a damaged line may lack: the reviewer, the movie or the rating."""


@dataclass(frozen=True, kw_only=True)
class DirtRates:
    """Holds how often each kind of error occurs in synthetic files: a share of lines or movies, 0 to 0.5."""

    malformed_reviews: float = 0.0005
    """The share of review lines that are cut off in the middle; the cut lines are added to the intact
    lines."""
    missing_fields: float = 0.001
    """The share of review lines that lack reviewerID, asin or overall; the damaged lines are added to the
    intact lines."""
    repeated_pairs: float = 0.015
    """The share of review lines that are later edits of a review that another line holds."""
    copied_reviews: float = 0.05
    """The share of review lines that repeat a review word for word, but are about another edition of the
    film."""
    film_variants: float = 0.08
    """The share of movies that are an additional edition (DVD, Blu-ray, VHS, region) of a film."""
    missing_metadata: float = 0.01
    """The share of movies that have no metadata line."""
    repeated_metadata: float = 0.12
    """The share of movies with metadata that have two equal metadata lines."""
    malformed_metadata: float = 0.001
    """The share of movies with metadata that have a second metadata line, which is cut off in the middle."""
    html_titles: float = 0.02
    """The share of the movies with metadata whose title is wrapped in HTML."""
    lost_titles: float = 0.01
    """The share of the movies with metadata whose title is an HTML fragment without text."""
    entity_titles: float = 0.05
    """The share of the movies with metadata whose title is written with HTML entities."""
    entity_categories: float = 0.3
    """The share of the movies with metadata whose categories are written with HTML entities."""
    css_prices: float = 0.06
    """The share of the movies with metadata whose price is a piece of CSS."""
    thousand_prices: float = 0.004
    """The share of the movies with metadata that have a price such as '$1,234.50'."""
    empty_prices: float = 0.25
    """The share of the movies with metadata whose price is an empty string."""
    rank_lists: float = 0.15
    """The share of the movies with metadata whose field `rank`, the sales rank, is a list of strings."""
    rank_empty: float = 0.1
    """The share of the movies with metadata whose field `rank`, the sales rank, is an empty list."""
    details_html: float = 0.15
    """The share of the movies with metadata whose details are a bare list in HTML, with links."""
    details_empty: float = 0.1
    """The share of the movies with metadata whose details are an empty string."""
    empty_lists: float = 0.08
    """The share of the movies with metadata whose list fields are empty strings instead of lists."""

    def __post_init__(self) -> None:
        for field in fields(self):
            rate = getattr(self, field.name)
            if not 0 <= rate <= 0.5:
                raise ConfigError(f"The dirt rate {field.name} is {rate}, but it must lie between 0 and 0.5")
        dirty = self.malformed_reviews + self.missing_fields + self.repeated_pairs + self.copied_reviews
        if dirty > 0.5:
            raise ConfigError(
                f"The dirt rates make {dirty:.0%} of the review lines dirt, half is "
                "the most; lower malformed_reviews, missing_fields, repeated_pairs or copied_reviews"
            )

    @classmethod
    def none(cls) -> DirtRates:
        """Returns rates of 0, for a data set without errors and with one edition of each film."""
        return replace(cls(), **{field.name: 0.0 for field in fields(cls)})


class LinePlan(NamedTuple):
    """Holds the number of review lines of each kind, such as original reviews, copies and malformed lines."""

    originals: int
    copies: int
    """The number of lines that repeat a review, but are about another edition of the film."""
    repeats: int
    """The number of lines that are later edits of a review that another line holds."""
    malformed: int
    """The number of lines that are cut off in the middle."""
    missing: int
    """The number of lines that lack a field."""

    @classmethod
    def of(cls, num_lines: int, rates: DirtRates) -> LinePlan:
        """Computes how many lines of a review file are original reviews, copies, repeats and damaged lines.

        The review file has `num_lines` lines. For each kind of error, `rates` holds the share of the lines
        with the error; all lines without an error are original reviews.
        """
        kinds = (rates.copied_reviews, rates.repeated_pairs, rates.malformed_reviews, rates.missing_fields)
        dirt = [round(num_lines * rate) for rate in kinds]
        return cls(num_lines - sum(dirt), *dirt)


def share(count: int, part: int, num_parts: int) -> int:
    """Returns the size of one part if `count` items are divided into `num_parts` parts of nearly equal size.

    The argument `part` says which part is measured: the first part has the number 0, and the last part has
    the number `num_parts - 1`.
    """
    return count * (part + 1) // num_parts - count * part // num_parts


def break_off(line: str, where: float) -> str:
    """Cuts off a JSON line at `where`, from 0 (early) to 1 (late), as an interrupted program would."""
    return line[: 10 + int(where * (len(line) - 20))] + "\n"


def drop_field(line: str, field: str) -> str:
    """Removes a field, one of MISSING_FIELDS, from a review line."""
    start = line.index(f'"{field}": ')
    return line[:start] + line[line.index(", ", start) + 2 :]
