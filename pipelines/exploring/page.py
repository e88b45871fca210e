"""The page that shows what review files hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.pages import plots
from pipelines.pages.page import Section, figure, heading, paragraph, render_page, rows_parts, table

_MOST_MONTHS = 48
"""Up to so many months are shown month by month, more of them year by year."""
_MOST_RATINGS = 60


def exploration_page(figures: Mapping[str, Any]) -> str:
    """Shows the figures of `explore` as a page."""
    return render_page(
        "What the reviews hold",
        [
            Section("Rows", rows_parts(figures["accounting"])),
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
    return [
        table(
            ["statement", "holds", "figures"],
            [[found["statement"], verdicts[found["holds"]], found["sentence"]] for found in findings],
        )
    ]


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
    drawn = plots.bars(
        [row[0] for row in rows],
        [row["reviews"] for row in ratings],
        name="ratings",
        xlabel="rating",
        ylabel="reviews",
    )
    if len(rows) > _MOST_RATINGS:
        return [figure(drawn), paragraph(f"There are {len(rows):,} different ratings.", note=True)]
    return [figure(drawn), table(["rating", "reviews", "share"], rows)]


def _loads(loads: Sequence[Mapping[str, Any]]) -> list[str]:
    parts = []
    for kind in ("reviewers", "movies"):
        rows = [row for row in loads if row["kind"] == kind]
        drawn = plots.bars(
            [_range(row["from_reviews"]) for row in rows],
            [row["holders"] for row in rows],
            name=f"loads-{kind}",
            xlabel="number of reviews",
            ylabel=kind,
        )
        parts.append(figure(drawn, f"How many {kind} have how many reviews."))
    return parts


def _range(first: int) -> str:
    return str(first) if first < 4 else f"{first:,}-{2 * first - 1:,}"


def _times(figures: Mapping[str, Any]) -> list[str]:
    months, years = figures["per_month"], figures["per_year"]
    if not months:
        return [paragraph("The data has no times.")]
    if len(years) * 12 <= _MOST_MONTHS:
        names = [f"{row['year']}-{row['month']:02d}" for row in months]
        counts, what = [row["reviews"] for row in months], "month"
    else:
        names, counts, what = [str(row["year"]) for row in years], [row["reviews"] for row in years], "year"
    total = sum(row["reviews"] for row in years)
    parts = [
        figure(plots.bars(names, counts, name="times", xlabel=what, ylabel="reviews")),
        table(
            ["year", "reviews", "share"],
            [[str(row["year"]), row["reviews"], f"{row['reviews'] / total:.1%}"] for row in years],
        ),
    ]
    if figures["counts"]["reviews_without_time"]:
        parts.append(paragraph(f"{figures['counts']['reviews_without_time']:,} reviews have no time."))
    return parts


def _top(figures: Mapping[str, Any]) -> list[str]:
    return [
        heading("Reviewers"),
        table(
            ["reviewer", "reviews", "average rating"],
            [[row["reviewer_id"], row["reviews"], row["average_rating"]] for row in figures["top_reviewers"]],
        ),
        heading("Movies"),
        table(
            ["movie", "title", "reviews", "average rating"],
            [
                [row["movie_id"], row["title"], row["reviews"], row["average_rating"]]
                for row in figures["top_movies"]
            ],
        ),
    ]


def _copies(copies: Mapping[str, int]) -> list[str]:
    return [
        paragraph(
            f"{copies['movies_with_title']:,} movies have a title. By their titles, "
            f"{copies['movies_that_are_variants']:,} of them are variants (DVD, Blu-ray, editions) of "
            f"{copies['films_with_variants']:,} films."
        ),
        paragraph(
            f"{copies['reviews_of_another_variant']:,} reviews are of a variant of a film that the same "
            "reviewer has reviewed before."
        ),
        paragraph(
            f"{copies['reviews_with_text']:,} reviews have a text; {copies['reviews_with_repeated_text']:,} "
            "repeat another one of the same reviewer word for word, with the same time and rating."
        ),
    ]
