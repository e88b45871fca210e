"""Implements `engine compare`, which says how a new index differs from an old one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from engine.cli.options import FORMAT, PATH, VERBOSE
from engine.cli.output import print_facts
from engine.cli.source_options import PAGE
from engine.cli.tables import format_table, wrapped
from engine.cli.terminal import say

_LISTS = {"old": "old", "new": "new"}
_RANKS = {"old rank": "old_rank", "new rank": "new_rank"}


@click.command(
    params=[
        click.Argument(["old"], type=PATH),
        click.Argument(["new"], type=PATH, required=False),
        *(PAGE, *FORMAT, VERBOSE),
    ]
)
def compare(old: Path, new: Path | None, output: Path | None, format: str) -> None:
    """Say how a new index differs from an old one.

    OLD and NEW are the directories of indexes, or of single builds inside an index. The command `engine info`
    lists the builds of an index. If only the directory of one index is given, the command compares the live
    build of the index with the build that was live before. The command prints counts and held-out metrics
    side by side, how much the lists of the same reviewers have in common, which movies have become more or
    less popular, and which settings differ.
    """
    from pipelines.comparing.compare import compare

    found = compare(old, new, output=output)
    print_facts(found, format, lambda: say("\n".join(_lines(found))))
    if output is not None:
        say(f"The page is {output}", err=True)


def _lines(found: Mapping[str, Any]) -> list[str]:
    """Returns the lines that `engine compare` prints."""
    old, new = found["old"], found["new"]
    names = ["build", "created", "version"]
    if old["directory"] != new["directory"]:
        names.insert(0, "directory")
    refused = [f"The new build was refused: {new['refused_because']}."] if new["refused_because"] else []
    return [
        format_table(["", "old", "new"], [[name, old[name], new[name]] for name in names]),
        *map(wrapped, refused),
        "",
        _figures(found["counts"]),
        *_known("reviewers", found["reviewers"]),
        *_known("movies", found["movies"]),
        "",
        *([_figures(found["quality"])] if found["quality"] else ["Neither index holds held-out figures."]),
        "",
        *_lists(found["lists"]),
        *_movies("Movies in more of these lists", found["listings"]["more"], _LISTS),
        *_movies("Movies in fewer of these lists", found["listings"]["fewer"], _LISTS),
        *_movies("More popular movies", found["popularity"]["risen"], _RANKS),
        *_movies("Less popular movies", found["popularity"]["fallen"], _RANKS),
        *_settings(found["settings"]),
    ]


def _figures(figures: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        [
            *(name, row["old"], row["new"]),
            _signed(row["change"]) if row["change"] else None,
            f"{row['share']:+.1%}" if row["share"] else None,
        ]
        for name, row in figures.items()
    ]
    return format_table(["", "old", "new", "change", "%"], rows)


def _signed(value: float) -> str:
    return f"{value:+,}" if isinstance(value, int) else f"{value:+.4f}"


def _known(name: str, known: Mapping[str, int]) -> list[str]:
    if not (known["added"] or known["removed"]):
        return []
    return [f"{name}: {known['both']:,} in both, {known['added']:,} added, {known['removed']:,} removed"]


def _lists(lists: Mapping[str, Any]) -> list[str]:
    if not lists["reviewers"]:
        return ["The indexes have no reviewer in common."]
    return [
        f"Lists of {lists['k']} movies, of {lists['reviewers']:,} reviewers of both indexes:",
        f"  {lists['mean_overlap']:.1%} of a list's movies are in the other list (median "
        f"{lists['median_overlap']:.0%})",
        f"  {lists['unchanged']:.1%} of the lists are unchanged, {lists['same_movies']:.1%} hold the same "
        "movies",
        f"  {lists['nothing_shared']:.1%} of the lists have no movie in common",
        f"  {lists['movies_listed']['old']:,} different movies were listed, "
        f"{lists['movies_listed']['new']:,} are now",
    ]


def _movies(title: str, movies: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> list[str]:
    if not movies:
        return []
    names = ("movie_id", "title", *columns.values())
    rows = [[movie[name] for name in names] for movie in movies]
    return ["", f"{title}:", format_table(["movie", "title", *columns], rows, indent="  ")]


def _settings(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    if not settings:
        return ["", "No setting differs."]
    rows = [[row["setting"], str(row["old"]), str(row["new"])] for row in settings]
    return ["", "Settings that differ:", format_table(["setting", "old", "new"], rows, indent="  ")]
