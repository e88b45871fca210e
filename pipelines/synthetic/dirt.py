"""Says how often each kind of dirt of real files is planted, and breaks lines."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import NamedTuple

from engine.errors import ConfigError

MISSING_FIELDS = ("reviewerID", "asin", "overall")


@dataclass(frozen=True, kw_only=True)
class DirtRates:
    """Holds how often each kind of dirt is planted, as shares between 0 and 0.5."""

    malformed_reviews: float = 0.0005
    """Of the review lines, extra ones that break off in the middle."""
    missing_fields: float = 0.001
    """Of the review lines, extra ones without reviewerID, asin or overall, in turns."""
    repeated_pairs: float = 0.015
    """Of the review lines, later edits of a review under the same reviewer and movie."""
    copied_reviews: float = 0.05
    """Of the review lines, verbatim copies under another edition of the film."""
    film_variants: float = 0.08
    """Of the movies, those that are another edition (DVD, Blu-ray, VHS, region) of a film sold already."""
    missing_metadata: float = 0.01
    """Of the movies, those without a metadata line."""
    repeated_metadata: float = 0.12
    """Of the movies with metadata, those whose line is written a second time."""
    malformed_metadata: float = 0.001
    """Of the movies with metadata, those with an extra line that breaks off in the middle."""
    html_titles: float = 0.02
    """Of the movies with metadata, those whose title is wrapped in HTML."""
    lost_titles: float = 0.01
    """Of the movies with metadata, those whose title is an HTML fragment without text."""
    entity_titles: float = 0.05
    """Of the movies with metadata, those whose title is written with HTML entities."""
    entity_categories: float = 0.3
    """Of the movies with metadata, those whose categories are written with HTML entities."""
    css_prices: float = 0.06
    """Of the movies with metadata, those whose price is a piece of CSS."""
    thousand_prices: float = 0.004
    """Of the movies with metadata, those with a price such as '$1,234.50'."""
    empty_prices: float = 0.25
    """Of the movies with metadata, those whose price is an empty string."""
    rank_lists: float = 0.15
    """Of the movies with metadata, those whose rank is a list of strings."""
    rank_empty: float = 0.1
    """Of the movies with metadata, those whose rank is an empty list."""
    details_html: float = 0.15
    """Of the movies with metadata, those whose details are a bare list in HTML, with links."""
    details_empty: float = 0.1
    """Of the movies with metadata, those whose details are an empty string."""
    empty_lists: float = 0.08
    """Of the movies with metadata, those whose lists are empty strings."""

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
        """Returns the rates of a data set without dirt and without film variants."""
        return replace(cls(), **{field.name: 0.0 for field in fields(cls)})


class LinePlan(NamedTuple):
    """Holds how many review lines of each kind are written."""

    originals: int
    copies: int
    repeats: int
    malformed: int
    missing: int

    @classmethod
    def of(cls, num_lines: int, rates: DirtRates) -> LinePlan:
        """Divides the lines of a file among the kinds; all lines that are not dirt are originals."""
        kinds = (rates.copied_reviews, rates.repeated_pairs, rates.malformed_reviews, rates.missing_fields)
        dirt = [round(num_lines * rate) for rate in kinds]
        return cls(num_lines - sum(dirt), *dirt)


def share(count: int, part: int, num_parts: int) -> int:
    """Returns the size of one of several nearly equal parts that add up to the count."""
    return count * (part + 1) // num_parts - count * part // num_parts


def break_off(line: str, where: float) -> str:
    """Cuts a JSON line at `where`, from 0 (early) to 1 (late), as an interrupted writer leaves it."""
    return line[: 10 + int(where * (len(line) - 20))] + "\n"


def drop_field(line: str, field: str) -> str:
    """Removes one of MISSING_FIELDS from a review line."""
    start = line.index(f'"{field}": ')
    return line[:start] + line[line.index(", ", start) + 2 :]
