"""Shows an evaluation as a web page: each model's metrics, intervals, tests, and groups of reviewers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.evaluation.results import Evaluation
from pipelines.pages import plots
from pipelines.pages.page import (
    Section,
    cell,
    drawing,
    figures_table,
    heading,
    model_table,
    paragraph,
    render_page,
    table,
)

_DRAWN = {
    "ndcg@10": "NDCG of the first ten: larger is better.",
    "mae": "Mean absolute error of the predicted ratings, in stars: smaller is better.",
}
_BY_FOLD = ("mae", "rmse", "ndcg@10", "recall@10", "recall@20", "fit_seconds")
_SIMILAR = {"links": "movies that metadata links", "held_out": "held-out reviews after the last one"}


def evaluation_page(evaluation: Evaluation, files: Sequence[Path] = ()) -> str:
    """Returns a web page, as HTML, that shows an evaluation's metrics and the names of the review files."""
    found = evaluation.to_dict()
    sections = [
        Section("What was measured", _setting(found)),
        Section("Figures", _figures(found)),
        Section("How sure that is", _certainty(found)),
        Section("By how many training reviews the reviewer has", _by_reviews(found["by_reviews"])),
        Section("Similar movies", _similar(found["similar"], found["looks"]) if found["similar"] else []),
        Section("Stars, sentiment, or both", _sentiment(found["sentiment"]) if found["sentiment"] else []),
        Section("Training", _training(evaluation.curves)),
        Section("Fold by fold", _folds(found["folds"])),
        Section("Rows of the files", _rows(found["rows"])),
    ]
    footer = "Written by engine evaluate. It names no reviewer, and loads nothing."
    title = f"How good it is: {', '.join(path.name for path in files)}" if files else "How good it is"
    return render_page(title, [section for section in sections if section.parts], footer)


def _setting(found: Mapping[str, Any]) -> list[str]:
    splits, negatives = found["splits"], found["negatives"]
    ranked = "the whole catalogue without the reviewer's training reviews"
    if negatives is not None:
        ranked = (
            f"only the held-out movies and {cell(negatives['used'])} candidates from {negatives['file']}, "
            f"for {cell(negatives['reviewers'])} reviewers, which flatters every model"
        )
    return [
        paragraph(
            "Every model was trained from scratch on one part of the reviews and measured on the other, by "
            f"the protocol {found['protocol']}. A movie is relevant if it was rated {found['like_rating']:g} "
            f"or more. Each model ranks {ranked}."
        ),
        table(
            ["fold", *(name.replace("_", " ") for name in splits[0])],
            [[number, *split.values()] for number, split in enumerate(splits, start=1)],
        ),
        paragraph(
            f"Leaks prevented: {cell(found['leaks_prevented'])}. This many held-out reviews have a copy in "
            "training, such as a review of another edition of the film. They moved to training, since a "
            "model that has seen the copy knows the answer.",
            note=True,
        ),
    ]


def _figures(found: Mapping[str, Any]) -> list[str]:
    parts = [figures_table(found["mean"])]
    if len(found["splits"]) > 1:
        parts.append(paragraph(f"Means over {len(found['splits'])} folds.", note=True))
    parts.append(
        paragraph(
            "Smaller is better for mae, rmse, log_loss, calibration_error and gini@10; larger is better for "
            "every other figure. ncf is this engine.",
            note=True,
        )
    )
    for name, caption in _DRAWN.items():
        measured = [model for model, figures in found["mean"].items() if _sure(found, model, name)]
        if not measured:
            continue
        values = [found["mean"][model][name] for model in measured]
        ends = [tuple(found["intervals"][model][name]) for model in measured]
        plot = f"figures-{name.replace('@', '-')}"
        drawn = plots.intervals(measured, values, ends, name=plot, xlabel=name)
        parts.append(drawing(drawn, f"{caption} The lines are 95% intervals over reviewers."))
    return parts


def _sure(found: Mapping[str, Any], model: str, name: str) -> bool:
    """Tells whether a model has both a value and a confidence interval of the metric `name`."""
    ends = found["intervals"].get(model, {}).get(name)
    return ends is not None and None not in ends and found["mean"][model].get(name) is not None


def _certainty(found: Mapping[str, Any]) -> list[str]:
    ends = {
        model: {name: " - ".join(map(cell, pair)) for name, pair in figures.items()}
        for model, figures in found["intervals"].items()
    }
    parts = [heading("95% intervals over reviewers"), model_table(ends, "model")]
    tests = found["tests"]
    if any(tests["p_values"].values()):
        parts += [
            heading(f"P-values of the difference to {tests['against']}"),
            model_table(tests["p_values"], "model"),
            paragraph(
                "The chance of so large a difference, in either direction, if the models were equally good, "
                "by Fisher's randomisation test, paired by reviewer.",
                note=True,
            ),
        ]
    return parts


def _by_reviews(by_model: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    rows = {
        f"{model}, {group}": figures
        for model, by_group in by_model.items()
        for group, figures in by_group.items()
    }
    order = list(dict.fromkeys(group for by_group in by_model.values() for group in by_group))
    parts = []
    for name, caption in _DRAWN.items():
        models = [
            model for model, by_group in by_model.items() if any(name in row for row in by_group.values())
        ][: len(plots.COLORS)]
        if not models:
            continue
        series = [[by_model[model].get(group, {}).get(name) for group in order] for model in models]
        plot = f"groups-{name.replace('@', '-')}"
        drawn = plots.grouped_bars(
            order, series, name=plot, xlabel="training reviews of the reviewer", ylabel=name
        )
        parts.append(drawing(drawn, caption, list(zip(plots.COLORS, models, strict=False))))
    return [*parts, model_table(rows, "model, reviews")]


def _similar(similar: Mapping[str, Mapping[str, Any]], looks: Mapping[str, Any]) -> list[str]:
    names = ["found", "questions", "ncf recall@10", "co-review recall@10", "p-value"]
    models = ("ncf", "co-review")
    rows = [
        [_SIMILAR[name], row["questions"], *(row[model]["recall@10"] for model in models), row["p_value"]]
        for name, row in similar.items()
    ]
    return [
        paragraph("What lists of similar movies find, beside lists that go by reviewers in common alone."),
        table(names, rows),
        *_looks(looks),
    ]


def _looks(looks: Mapping[str, Any]) -> list[str]:
    parts = []
    if shares := looks.get("without_common_category"):
        measured = [[group, row["movies"], row["share"], row["random"]] for group, row in shares.items()]
        parts += [
            heading("Listed movies without a common category"),
            paragraph(
                "The share of the movies in lists of ten that have no category in common with the movie "
                "asked for, by the number of reviews of that movie; beside it, the share of all movies."
            ),
            table(["reviews of the movie", "movies", "share in lists", "share of all movies"], measured),
        ]
    if series := looks.get("series"):
        parts.append(
            paragraph(
                f"Of {cell(series['pairs'])} pairs of films that follow each other in a series, by their "
                f"titles, {cell(series['found'])} stand in each other's first five."
            )
        )
    return parts


def _sentiment(sentiment: Mapping[str, Any]) -> list[str]:
    by_rating = sentiment["mean_by_rating"]
    known = {rating: value for rating, value in by_rating.items() if value is not None}
    drawn = plots.bars(
        list(known), list(known.values()), name="sentiment", xlabel="rating", ylabel="mean sentiment"
    )
    return [
        paragraph(
            f"Of {cell(sentiment['reviews'])} training reviews, {cell(sentiment['with_sentiment'])} have a "
            "text with words that a lexicon scores. The correlation of the scores with the stars is "
            f"{cell(sentiment['correlation'])}. ncf-sentiment learns from the scores alone, ncf-blend from "
            f"stars and scores, with a weight of {sentiment['weight']:g} for the scores. All models are "
            "measured on the stars of held-out reviews."
        ),
        *(paragraph(f"{model}: {verdict}") for model, verdict in sentiment["verdicts"].items()),
        drawing(drawn, "The mean sentiment of the reviews with each rating, from -1 to 1."),
    ]


def _training(by_model: Mapping[str, Sequence[Mapping[str, Sequence[float]]]]) -> list[str]:
    """Draws a chart for each model in `by_model`; the chart shows the training curves of all folds."""
    parts = []
    for model, folds in by_model.items():
        names = list(folds[0])
        series = [curves[name] for curves in folds for name in names]
        colors = plots.COLORS[: len(names)] * len(folds)
        drawn = plots.lines(
            series, name=f"curves-{model}", xlabel="epoch", ylabel="squared error", colors=colors
        )
        caption = "The squared error of each epoch; the validation reviews are drawn at random."
        if len(folds) > 1:
            caption += " There is a line for each fold."
        legend = list(zip(plots.COLORS, names, strict=False))
        parts += [heading(f"The baseline {model}"), drawing(drawn, caption, legend)]
    return parts


def _folds(folds: Sequence[Mapping[str, Any]]) -> list[str]:
    names = [name for name in _BY_FOLD if any(name in row for row in folds)]
    rows = [[row["model"], row["fold"], *(row.get(name) for name in names)] for row in folds]
    return [table(["model", "fold", *(name.replace("_", " ") for name in names)], rows)]


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = ("read", "kept", "duplicate", "filtered", "rejected")
    return [table(["file", *names], [[place, *map(row.get, names)] for place, row in enumerate(rows, 1)])]
