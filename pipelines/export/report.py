"""Writes report.html, a web page about an index: data, training, quality and example recommendations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from engine.artifact import layout
from engine.artifact.writer import ArtifactWriter
from engine.model.scorer import Model
from engine.relations.movie_map import NO_CATEGORY, OTHER, MovieMap, map_movies
from pipelines.export.examples import (
    Example,
    make_examples,
    read_names,
)
from pipelines.pages import plots
from pipelines.pages.page import (
    Section,
    account_of_rows,
    drawing,
    facts_table,
    figures_table,
    heading,
    paragraph,
    render_page,
    table,
)
from pipelines.work.output import write_text

_UNKNOWN_YEAR = "year unknown"
_LONGEST_EXAMPLE = 40
"""The largest number of characters of a movie title in the legend of the map of movies."""
_CURVES = {
    ("relevance", "loss"): "The training loss, round by round.",
    ("rating", "loss"): "The training loss, round by round.",
    ("relevance", "validation"): "NDCG@20 on validation reviews: larger is better.",
    ("rating", "validation"): "Mean log chance of the ratings of validation reviews: larger is better.",
}


def write_report(writer: ArtifactWriter, model: Model) -> str:
    """Writes the report of a build to a file, and returns the report as HTML.

    The sections of the manifest, the ids and the movie cards must be written before the report.

    Raises:
        DataError: the report cannot be written.
    """
    names = read_names(writer)
    examples, movies = make_examples(model, names), map_movies(model, names.cards, names.variants)
    page = report_page(writer.directory.absolute().name, writer.sections, examples, movies)
    write_text(page, writer.path_for(layout.REPORT_FILE))
    return page


def report_page(name: str, manifest: Mapping[str, Any], examples: Sequence[Example], movies: MovieMap) -> str:
    """Renders an index's report as HTML, from the index's name, manifest, examples and a map of movies."""
    accounting = manifest[layout.ACCOUNTING_SECTION]
    account = account_of_rows(accounting)
    files = ", ".join(Path(file["path"]).name for file in accounting["files"]) or "no file"
    origin = paragraph(f"The index {name} was built from {files}.")
    return render_page(
        f"What was built: {name}",
        [
            Section("Rows", [origin, *account, facts_table(manifest[layout.COUNTS_SECTION])]),
            Section("Quality on held-out reviews", _quality(manifest)),
            Section("Chances of a like", _calibration(manifest[layout.CALIBRATION_SECTION])),
            Section("Training", _training(manifest[layout.TRAINING_SECTION])),
            Section("Blend and search", _blend_and_search(manifest)),
            Section("Recommendations", [part for example in examples for part in _example(example)]),
            Section("Map of the movies", _map(movies)),
        ],
        footer="Written by engine build-index. It shows ids of reviewers, not names, and loads nothing.",
    )


def _quality(manifest: Mapping[str, Any]) -> list[str]:
    metrics = manifest[layout.METRICS_SECTION]
    if not metrics:
        return [paragraph("Nothing was held out, so quality was not measured.")]
    left_out = manifest.get(layout.BASELINES_SECTION, {}).get("left_out") or ""
    learned = manifest.get(layout.SENTIMENT_SECTION)
    blended = (
        f"The model learned from the stars, blended with the sentiment of {learned['with_sentiment']:,} "
        "texts; it was measured on the stars alone."
        if learned
        else ""
    )
    return [
        paragraph(
            "Each reviewer's last reviews were held out. A model trained on the other reviews had to find "
            f"them in the whole catalogue and to predict their ratings. ncf is this engine. {blended}"
        ),
        figures_table(metrics),
        paragraph(
            "Smaller is better for mae, rmse and calibration_error; larger is better for every other figure. "
            + left_out,
            note=True,
        ),
    ]


def _calibration(bins: Sequence[Mapping[str, float]]) -> list[str]:
    if not bins:
        return [paragraph("There are no ratings to compare with, or none were held out.")]
    drawn = plots.diagonal(
        [row["mean_predicted"] for row in bins],
        [row["share_liked"] for row in bins],
        name="calibration",
        xlabel="predicted chance of a like",
        ylabel="share liked",
    )
    rows = [[f"{row['mean_predicted']:.3f}", f"{row['share_liked']:.3f}", row["count"]] for row in bins]
    return [
        drawing(drawn, "On the dashed line, of ten movies with a chance of 70%, seven are liked."),
        table(["mean prediction", "share liked", "reviews"], rows),
    ]


def _training(training: Mapping[str, Any]) -> list[str]:
    parts = []
    for head, curves in training.get("curves", {}).items():
        parts.append(heading(f"The {head} head"))
        if head in training.get("rounds", {}):
            parts.append(paragraph(f"Rounds of the final training: {training['rounds'][head]:,}."))
        for (name, values), color in zip(curves.items(), cycle(plots.COLORS), strict=False):
            if not values:
                continue
            drawn = plots.lines([values], colors=[color], name=f"{head}-{name}", xlabel="round", ylabel=name)
            parts.append(drawing(drawn, _CURVES.get((head, name), "")))
    return parts or [paragraph("No curves were kept.")]


def _blend_and_search(manifest: Mapping[str, Any]) -> list[str]:
    parts = []
    for title, facts in (
        ("Blend: how the parts of a score are added up", manifest[layout.MODEL_SECTION]["blend"]),
        ("Search", manifest[layout.SEARCH_SECTION]),
        ("Audit: what two stages lose against scoring every movie", manifest[layout.AUDIT_SECTION]),
    ):
        parts += [heading(title), facts_table(facts)]
    return parts


def _example(example: Example) -> list[str]:
    rated = any(row["rating"] is not None for row in example.known)
    known = [[row["movie_id"], row["title"], row["rating"]] for row in example.known]
    recommended = [
        [
            *(place, row["movie_id"], row["title"]),
            *(_shown(row["predicted_rating"], ".1f"), _shown(row["like_probability"], ".0%")),
        ]
        for place, row in enumerate(example.recommended, start=1)
    ]
    width, known_width = (5, 3) if rated else (3, 2)
    return [
        heading(f"Reviewer {example.reviewer_id}, {example.num_reviews:,} reviews"),
        paragraph("Rated highest, the latest first:" if rated else "Reviewed last:"),
        table(["movie", "title", "rating"][:known_width], [row[:known_width] for row in known]),
        paragraph("Recommended:"),
        table(["#", "movie", "title", "stars", "like"][:width], [row[:width] for row in recommended]),
    ]


def _map(movies: MovieMap) -> list[str]:
    what, groups = _groups(movies)
    names = list(dict.fromkeys(groups))
    by_size = sorted(names, key=groups.count, reverse=True)
    plain = (NO_CATEGORY, OTHER, _UNKNOWN_YEAR)
    # Groups by number of reviews have names such as "1 to 9" and "10 to 99", so longer names mean more
    # reviews.
    in_order = by_size if what == "category" else sorted(names, key=lambda name: (len(name), name))
    order = [name for name in in_order if name not in plain]
    colors = dict(zip(order, plots.COLORS, strict=False))
    colors |= {name: plots.GREY for name in by_size if name not in colors}
    titles = [title or f"a movie without a title ({count:,} reviews)" for title, count in _known(movies)]
    drawn = plots.scatter(movies.points, [colors[name] for name in groups], titles)
    legend = [(color, _meaning(name, groups, movies)) for name, color in colors.items()]
    caption = (
        f"The {len(movies.points):,} movies with the most reviews. Movies with similar vectors are near each "
        "other: the places are the two main components of the vectors, which hold "
        f"{movies.share:.0%} of the variance. A colour is a {what}. Hold the mouse over a point to see the "
        "movie."
    )
    return [drawing(drawn, caption, legend)]


def _groups(movies: MovieMap) -> tuple[str, list[str]]:
    """Groups the movies of a map by category, decade or number of reviews; each group gets a colour.

    The movies are grouped by category if there are several categories; otherwise by decade if there are
    several decades; and otherwise by the number of reviews. The function returns what the movies are grouped
    by ("category", "decade" or "number of reviews"), and the name of each movie's group, such as "1990s".
    """
    if len(set(movies.categories) - {NO_CATEGORY, OTHER}) > 1:
        return "category", movies.categories
    decades = [None if year is None else year // 10 * 10 for year in movies.years]
    if len(set(decades) - {None}) > 1:
        return "decade", [_UNKNOWN_YEAR if decade is None else f"{decade}s" for decade in decades]
    digits = [len(str(count)) for count in movies.counts.tolist()]
    return "number of reviews", [f"{10 ** (n - 1):,} to {10**n - 1:,} reviews" for n in digits]


def _known(movies: MovieMap) -> Iterator[tuple[str | None, int]]:
    yield from zip(movies.titles, movies.counts.tolist(), strict=True)


def _meaning(name: str, groups: Sequence[str], movies: MovieMap) -> str:
    """Describes one group of movies, such as a decade, for the legend of the report's map of movies.

    The returned text holds the group's name, the number of movies in the group, and the title of the most
    reviewed movie in the group.
    """
    members = [known for known, group in zip(_known(movies), groups, strict=True) if group == name]
    titled = [(count, title) for title, count in members if title]
    example = f", such as {max(titled)[1][:_LONGEST_EXAMPLE]}" if titled else ""
    return f"{name}: {len(members):,} movie{'' if len(members) == 1 else 's'}{example}"


def _shown(value: float | None, pattern: str) -> str | None:
    return None if value is None else format(value, pattern)
