"""The build's own report: how it was trained, how good it is, and what it recommends, on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from engine.artifact.layout import REPORT_FILE
from engine.artifact.writer import ArtifactWriter
from engine.model.scorer import Model
from pipelines.export.report_movies import (
    NO_CATEGORY,
    OTHER,
    Example,
    MovieMap,
    make_examples,
    map_movies,
    read_names,
)
from pipelines.pages import plots
from pipelines.pages.page import (
    Section,
    facts_table,
    figure,
    figures_table,
    heading,
    paragraph,
    render_page,
    rows_parts,
    table,
)
from pipelines.work.output import write_text

_CURVES = {
    ("relevance", "loss"): "The training loss, round by round.",
    ("rating", "loss"): "The training loss, round by round.",
    ("relevance", "validation"): "NDCG@20 on validation reviews: larger is better.",
    ("rating", "validation"): "Mean log chance of the ratings of validation reviews: larger is better.",
}


def write_report(writer: ArtifactWriter, model: Model) -> str:
    """Adds the report to a build whose sections, ids and cards have been added.

    Args:
        writer: of the build.
        model: what was trained on everything.

    Returns:
        The page as HTML, for whoever wants it elsewhere too.

    Raises:
        DataError: it cannot be written.
    """
    names = read_names(writer)
    page = report_page(writer.sections, make_examples(model, names), map_movies(model, names.cards))
    write_text(page, writer.path_for(REPORT_FILE))
    return page


def report_page(manifest: Mapping[str, Any], examples: Sequence[Example], movies: MovieMap) -> str:
    """Shows what a manifest says, and what its model does, as a page."""
    return render_page(
        "What was built",
        [
            Section("Rows", [*rows_parts(manifest["accounting"]), facts_table(manifest["counts"])]),
            Section("Quality on held-out reviews", _quality(manifest)),
            Section("Chances of a like", _calibration(manifest["calibration"])),
            Section("Training", [*_training(manifest["training"]), *_baseline_training(manifest)]),
            Section("Blend and search", _blend_and_search(manifest)),
            Section("Recommendations", [part for example in examples for part in _example(example)]),
            Section("Map of the movies", _map(movies)),
        ],
        footer="Written by engine build-index. It shows ids of reviewers, not names, and loads nothing.",
    )


def _quality(manifest: Mapping[str, Any]) -> list[str]:
    metrics = manifest["metrics"]
    if not metrics:
        return [paragraph("Nothing was held out, so quality was not measured.")]
    left_out = manifest.get("baselines", {}).get("left_out") or ""
    learned = manifest.get("sentiment")
    blended = (
        f"Learned from are the stars blended with the sentiment of {learned['with_sentiment']:,} texts; "
        "measured, as ever, are the stars."
        if learned
        else ""
    )
    return [
        paragraph(
            "Each reviewer's last reviews were held out, and a model trained on the others had to find them "
            f"in the whole catalogue and to predict their ratings. ncf is this engine. {blended}"
        ),
        figures_table(metrics),
        paragraph(
            "The smaller mae, rmse and calibration_error are, the better; the larger all else. " + left_out,
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
        figure(drawn, "On the dashed line, of ten movies with a chance of 70%, seven are liked."),
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
            parts.append(figure(drawn, _CURVES.get((head, name), "")))
    return parts or [paragraph("No curves were kept.")]


def _baseline_training(manifest: Mapping[str, Any]) -> list[str]:
    """The curves of the two models that the engine grew from, where they were trained."""
    parts = []
    for model, curves in manifest.get("baselines", {}).get("curves", {}).items():
        names = list(curves)
        drawn = plots.lines(
            list(curves.values()), name=f"curves-{model}", xlabel="epoch", ylabel="squared error"
        )
        legend = list(zip(plots.COLORS, names, strict=False))
        parts += [
            heading(f"The baseline {model}"),
            figure(
                drawn, "The squared error of each epoch; the validation reviews are drawn at random.", legend
            ),
        ]
    return parts


def _blend_and_search(manifest: Mapping[str, Any]) -> list[str]:
    parts = []
    for title, facts in (
        ("Blend: how the parts of a score are added up", manifest["model"]["blend"]),
        ("Search", manifest["search"]),
        ("Audit: what the two-stage search loses against scoring every movie", manifest["audit"]),
    ):
        parts += [heading(title), facts_table(facts)]
    return parts


def _example(example: Example) -> list[str]:
    rated = any(row["rating"] is not None for row in example.known)
    known = [[row["movie_id"], row["title"], row["rating"]] for row in example.known]
    recommended = [
        [place, row["movie_id"], row["title"], _decimals(row["predicted_rating"]), _percent(row)]
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
    names = list(dict.fromkeys(sorted(movies.categories, key=movies.categories.count, reverse=True)))
    named = [name for name in names if name not in (NO_CATEGORY, OTHER)]
    colors = dict(zip(named, plots.COLORS, strict=False))
    colors |= {name: plots.GREY for name in names if name not in colors}
    drawn = plots.scatter(movies.points, [colors[name] for name in movies.categories], name="map")
    caption = (
        f"The {len(movies.points):,} movies with the most reviews, laid out by the two main components of "
        f"their vectors, which hold {movies.share:.0%} of the variance."
    )
    return [figure(drawn, caption, [(color, name) for name, color in colors.items()])]


def _decimals(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f}"


def _percent(row: Mapping[str, Any]) -> str | None:
    return None if row["like_probability"] is None else f"{row['like_probability']:.0%}"
