"""Makes a web page from the description of review files that `explore` returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.pages import plots
from pipelines.pages.page import Section, account_of_rows, drawing, heading, paragraph, render_page, table

_MOST_MONTHS = 48
"""If the reviews span at most this number of months, a chart has a bar for each month, and otherwise a bar
for each year."""
_MOST_RATINGS = 60
"""If the data has at most this number of distinct ratings, a table on the page lists the ratings; otherwise
the page shows only how many distinct ratings there are."""


def exploration_page(figures: Mapping[str, Any]) -> str:
    """Returns a web page, as HTML, that shows the description that `explore` returns."""
    files = ", ".join(Path(file["path"]).name for file in figures["accounting"]["files"])
    return render_page(
        f"What the reviews hold: {files}",
        [
            Section("Rows", account_of_rows(figures["accounting"])),
            Section("Findings", _findings(figures["findings"])),
            Section("Counts", _counts(figures)),
            Section("Ratings", _ratings(figures["ratings"])),
            Section("Reviewers and movies", _loads(figures["loads"])),
            Section("Over time", _times(figures)),
            Section("Most reviews", _top(figures)),
            Section("Variants and copies", _copies(figures["copies"])),
        ],
        footer="Written by engine explore. It shows ids of reviewers, not their names, and loads nothing.",
    )


def _findings(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    verdicts = {True: "true here", False: "not true here", None: "cannot be told"}
    rows = [[found["statement"], verdicts[found["holds"]], found["sentence"]] for found in findings]
    return [table(["statement", "holds", "figures"], rows)]


def _counts(figures: Mapping[str, Any]) -> list[str]:
    counts = figures["counts"]
    columns = ("count", "mean", "sd", "min", "q1", "median", "q3", "max")
    described = [
        [name.replace("_", " "), *(found[column] for column in columns)]
        for name, found in figures["statistics"].items()
        if found is not None
    ]
    return [
        table(
            ["reviews", "reviewers", "movies", "sparsity"],
            [[counts["reviews"], counts["reviewers"], counts["movies"], f"{counts['sparsity']:.4%}"]],
        ),
        paragraph("Sparsity is the share of pairs of reviewer and movie without a review.", note=True),
        table(["", *columns], described),
    ]


def _ratings(ratings: Sequence[Mapping[str, Any]]) -> list[str]:
    if not ratings:
        return [paragraph("The data has no ratings.")]
    rows = [[f"{row['rating']:g}", row["reviews"], f"{row['share']:.1%}"] for row in ratings]
    names, counts, _ = zip(*rows, strict=True)
    drawn = plots.bars(names, counts, name="ratings", xlabel="rating", ylabel="reviews")
    if len(rows) > _MOST_RATINGS:
        return [drawing(drawn), paragraph(f"There are {len(rows):,} different ratings.", note=True)]
    return [drawing(drawn), table(["rating", "reviews", "share"], rows)]


def _loads(loads: Sequence[Mapping[str, Any]]) -> list[str]:
    parts = []
    for kind in ("reviewers", "movies"):
        rows = [row for row in loads if row["kind"] == kind]
        ranges = [_range(row["from_reviews"]) for row in rows]
        counts = [row["holders"] for row in rows]
        drawn = plots.bars(ranges, counts, name=f"loads-{kind}", xlabel="number of reviews", ylabel=kind)
        parts.append(drawing(drawn, f"How many {kind} have how many reviews."))
    return parts


def _range(first: int) -> str:
    return str(first) if first < 4 else f"{first:,}-{2 * first - 1:,}"


def _times(figures: Mapping[str, Any]) -> list[str]:
    months, years = figures["per_month"], figures["per_year"]
    if not months:
        return [paragraph("The data has no times.")]
    if len(years) * 12 <= _MOST_MONTHS:
        rows, what = months, "month"
        names = [f"{row['year']}-{row['month']:02d}" for row in months]
    else:
        rows, what = years, "year"
        names = [str(row["year"]) for row in years]
    counts = [row["reviews"] for row in rows]
    total = sum(row["reviews"] for row in years)
    parts = [
        drawing(plots.bars(names, counts, name="times", xlabel=what, ylabel="reviews")),
        table(
            ["year", "reviews", "share"],
            [[str(row["year"]), row["reviews"], f"{row['reviews'] / total:.1%}"] for row in years],
        ),
    ]
    if without_time := figures["counts"]["reviews_without_time"]:
        parts.append(paragraph(f"{without_time:,} reviews have no time."))
    return parts


def _top(figures: Mapping[str, Any]) -> list[str]:
    of_reviewers = ("reviewer_id", "reviews", "average_rating")
    of_movies = ("movie_id", "title", "reviews", "average_rating")
    reviewers = [[row[name] for name in of_reviewers] for row in figures["top_reviewers"]]
    movies = [[row[name] for name in of_movies] for row in figures["top_movies"]]
    return [
        heading("Reviewers"),
        table(["reviewer", "reviews", "average rating"], reviewers),
        heading("Movies"),
        table(["movie", "title", "reviews", "average rating"], movies),
    ]


def _copies(copies: Mapping[str, int]) -> list[str]:
    return [
        paragraph(
            f"{copies['movies_with_title']:,} movies have a title. By their titles, "
            f"{copies['movies_that_are_variants']:,} of them are variants (DVD, Blu-ray, editions) of "
            f"{copies['films_with_variants']:,} films."
        ),
        paragraph(
            f"{copies['reviews_of_another_variant']:,} reviews are of a film of which the same reviewer has "
            "reviewed another variant."
        ),
        paragraph(
            f"{copies['reviews_with_text']:,} reviews have a text; {copies['reviews_with_repeated_text']:,} "
            "repeat another one of the same reviewer word for word, with the same time and rating."
        ),
    ]
