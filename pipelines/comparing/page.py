"""Renders a comparison of two indexes as a web page: counts, metrics, top lists, popularity and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.pages.page import Section, facts_table, heading, paragraph, render_page, table

_FACTS = ("directory", "build", "created", "version", "reviews_since_training", "refused_because")


def comparison_page(found: Mapping[str, Any]) -> str:
    """Renders the result of `compare` as a web page."""
    old, new = found["old"], found["new"]
    facts = [[name.replace("_", " "), str(old[name] or "-"), str(new[name] or "-")] for name in _FACTS]
    popularity, listings, lists = found["popularity"], found["listings"], found["lists"]
    sections = [
        Section("Which indexes", [table(["", "old", "new"], facts)]),
        Section("What they hold", [_figures(found["counts"]), _known(found)]),
        Section("Quality on held-out reviews", _quality(found["quality"])),
        Section("Lists of the same reviewers", _lists(lists)),
        Section("Movies in more or fewer of these lists", _listings(listings, lists["reviewers"])),
        Section("Movies whose popularity rose or fell", _popularity(popularity)),
        Section("Settings that differ", _settings(found["settings"])),
    ]
    footer = "Written by engine compare. It names no reviewer, and loads nothing."
    return render_page("What is new in the index", sections, footer)


def _figures(figures: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        [
            name,
            row["old"],
            row["new"],
            row["change"],
            None if row["share"] is None else f"{row['share']:+.1%}",
        ]
        for name, row in figures.items()
    ]
    return table(["", "old", "new", "change", "in percent"], rows)


def _known(found: Mapping[str, Any]) -> str:
    rows = [
        [name, *(found[name][part] for part in ("both", "added", "removed"))]
        for name in ("reviewers", "movies")
    ]
    return table(["", "in both", "only in the new index", "only in the old index"], rows)


def _quality(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if not figures:
        return [paragraph("Neither index holds figures on held-out reviews.")]
    note = (
        "Smaller is better for mae, rmse and calibration_error; larger is better for every other figure. "
        "Each index was measured on its own held-out reviews."
    )
    return [_figures(figures), paragraph(note, note=True)]


def _lists(lists: Mapping[str, Any]) -> list[str]:
    if not lists["reviewers"]:
        return [paragraph("The indexes have no reviewer in common.")]
    return [
        paragraph(
            f"The lists of {lists['reviewers']:,} reviewers whom both indexes hold, {lists['k']} movies "
            "each. The overlap of two lists is the share of their movies that is in both."
        ),
        facts_table(
            {
                "mean overlap": f"{lists['mean_overlap']:.1%}",
                "median overlap": f"{lists['median_overlap']:.1%}",
                "the same movies in the same order": f"{lists['unchanged']:.1%}",
                "the same movies in any order": f"{lists['same_movies']:.1%}",
                "no movie in common": f"{lists['nothing_shared']:.1%}",
                "different movies in the old lists": lists["movies_listed"]["old"],
                "different movies in the new lists": lists["movies_listed"]["new"],
            }
        ),
    ]


def _listings(listings: Mapping[str, Sequence[Mapping[str, Any]]], num_lists: int) -> list[str]:
    parts = []
    for title, movies in (("In more lists", listings["more"]), ("In fewer lists", listings["fewer"])):
        rows = [[movie["movie_id"], movie["title"], movie["old"], movie["new"]] for movie in movies]
        if rows:
            headings = ["movie", "title", f"of {num_lists:,} old lists", "of the new lists"]
            parts += [heading(title), table(headings, rows)]
    return parts or [paragraph("Every movie is in as many lists as before.")]


def _popularity(popularity: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    parts = []
    for title, movies in (("Risen", popularity["risen"]), ("Fallen", popularity["fallen"])):
        rows = [
            [
                *(movie["movie_id"], movie["title"], movie["old_rank"], movie["new_rank"]),
                *(f"{movie['old_share']:.3%}", f"{movie['new_share']:.3%}"),
            ]
            for movie in movies
        ]
        if rows:
            headings = ["movie", "title", "old rank", "new rank", "old share", "new share"]
            parts += [heading(title), table(headings, rows)]
    return parts or [paragraph("Every movie has the same share of all popularity as before.")]


def _settings(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [[row["setting"], str(row["old"]), str(row["new"])] for row in settings]
    return [table(["setting", "old", "new"], rows)] if rows else [paragraph("No setting differs.")]
