"""The page that shows an evaluation: every model's figures, how sure they are, and for whom they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.pages import plots
from pipelines.pages.page import Section, cell, figure, figures_table, heading, paragraph, render_page, table

_DRAWN = {
    "ndcg@10": "NDCG of the first ten: larger is better.",
    "mae": "Mean absolute error of the predicted ratings, in stars: smaller is better.",
}
_BY_FOLD = ("mae", "rmse", "ndcg@10", "recall@10", "recall@20", "fit_seconds")
_SMALLER = "mae, rmse, log_loss, calibration_error and gini@10"
_SIMILAR = {"links": "movies that metadata links", "held_out": "held-out reviews after the last one"}


def evaluation_page(found: Mapping[str, Any]) -> str:
    """Shows what `Evaluation.to_dict` gives as a page."""
    sections = [
        Section("What was measured", _setting(found)),
        Section("Figures", _figures(found)),
        Section("How sure that is", _certainty(found)),
        Section("By how many training reviews the reviewer has", _by_reviews(found["by_reviews"])),
    ]
    if found["similar"]:
        sections.append(Section("Similar movies", _similar(found["similar"])))
    if found["sentiment"]:
        sections.append(Section("Stars, sentiment, or both", _sentiment(found["sentiment"])))
    sections += [
        Section("Fold by fold", _folds(found["folds"])),
        Section("Rows of the files", _rows(found["rows"])),
    ]
    return render_page(
        "How good it is",
        sections,
        footer="Written by engine evaluate. It names no reviewer, and loads nothing.",
    )


def _setting(found: Mapping[str, Any]) -> list[str]:
    splits, negatives = found["splits"], found["negatives"]
    ranked = "the whole catalogue but for what training has of the reviewer"
    if negatives is not None:
        ranked = (
            f"only the held-out movies and {cell(negatives['used'])} candidates from {negatives['file']}, "
            f"for {cell(negatives['reviewers'])} reviewers, which flatters every model"
        )
    return [
        paragraph(
            "Every model was trained from scratch on one part of the reviews and measured on the other, by "
            f"the protocol {found['protocol']}. Relevant is what was rated {found['like_rating']:g} or more; "
            f"ranked is {ranked}."
        ),
        table(
            ["fold", *(name.replace("_", " ") for name in splits[0])],
            [[number, *split.values()] for number, split in enumerate(splits, start=1)],
        ),
        paragraph(
            f"Leaks prevented: {cell(found['leaks_prevented'])}. So many reviews were to be held out but "
            "have a copy in training, such as one of another edition of the film; they went to training, "
            "since a model that has seen the copy knows the answer.",
            note=True,
        ),
    ]


def _figures(found: Mapping[str, Any]) -> list[str]:
    parts = [figures_table(found["mean"])]
    if len(found["splits"]) > 1:
        parts.append(paragraph(f"Means over {len(found['splits'])} folds.", note=True))
    parts.append(
        paragraph(
            f"The smaller {_SMALLER} are, the better; the larger all else. ncf is this engine.", note=True
        )
    )
    for name, caption in _DRAWN.items():
        measured = [model for model, figures in found["mean"].items() if _sure(found, model, name)]
        if not measured:
            continue
        drawn = plots.intervals(
            measured,
            [found["mean"][model][name] for model in measured],
            [tuple(found["intervals"][model][name]) for model in measured],
            name=f"figures-{name.replace('@', '-')}",
            xlabel=name,
        )
        parts.append(figure(drawn, f"{caption} The lines are 95% intervals over reviewers."))
    return parts


def _sure(found: Mapping[str, Any], model: str, name: str) -> bool:
    ends = found["intervals"].get(model, {}).get(name)
    return ends is not None and None not in ends and found["mean"][model].get(name) is not None


def _certainty(found: Mapping[str, Any]) -> list[str]:
    ends = {
        model: {name: " - ".join(map(cell, pair)) for name, pair in figures.items()}
        for model, figures in found["intervals"].items()
    }
    parts = [heading("95% intervals over reviewers"), _table(ends, "model")]
    tests = found["tests"]
    if any(tests["p_values"].values()):
        parts += [
            heading(f"P-values of the difference to {tests['against']}"),
            _table(tests["p_values"], "model"),
            paragraph(
                "The chance of so large a difference, in either direction, if there were none: paired by "
                "reviewer, by Fisher's randomisation test.",
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
    parts = []
    for name, caption in _DRAWN.items():
        models = [
            model for model, by_group in by_model.items() if any(name in row for row in by_group.values())
        ]
        models = models[: len(plots.COLORS)]
        order = list(dict.fromkeys(group for by_group in by_model.values() for group in by_group))
        if not models:
            continue
        drawn = plots.grouped_bars(
            order,
            [[by_model[model].get(group, {}).get(name) for group in order] for model in models],
            name=f"groups-{name.replace('@', '-')}",
            xlabel="training reviews of the reviewer",
            ylabel=name,
        )
        parts.append(figure(drawn, caption, list(zip(plots.COLORS, models, strict=False))))
    return [*parts, _table(rows, "model, reviews")]


def _similar(similar: Mapping[str, Mapping[str, Any]]) -> list[str]:
    names = ["found", "questions", "ncf recall@10", "co-review recall@10", "p-value"]
    rows = [
        [
            _SIMILAR[name],
            row["questions"],
            row["ncf"]["recall@10"],
            row["co-review"]["recall@10"],
            row["p_value"],
        ]
        for name, row in similar.items()
    ]
    return [
        paragraph(
            "What the lists of similar movies find, beside those that go by reviewers in common alone."
        ),
        table(names, rows),
    ]


def _sentiment(sentiment: Mapping[str, Any]) -> list[str]:
    by_rating = sentiment["mean_by_rating"]
    known = {rating: value for rating, value in by_rating.items() if value is not None}
    drawn = plots.bars(
        list(known), list(known.values()), name="sentiment", xlabel="rating", ylabel="mean sentiment"
    )
    return [
        paragraph(
            f"Of {cell(sentiment['reviews'])} training reviews, {cell(sentiment['with_sentiment'])} have a "
            "text with words that a lexicon scores; that score's correlation with the stars is "
            f"{cell(sentiment['correlation'])}. ncf-sentiment learns from the scores alone, ncf-blend from "
            f"the stars and from them, with a weight of {sentiment['weight']:g}. All models are measured "
            "on the stars of held-out reviews."
        ),
        *(paragraph(f"{model}: {verdict}") for model, verdict in sentiment["verdicts"].items()),
        figure(drawn, "The mean sentiment of the reviews with each rating, from -1 to 1."),
    ]


def _folds(folds: Sequence[Mapping[str, Any]]) -> list[str]:
    names = [name for name in _BY_FOLD if any(name in row for row in folds)]
    rows = [[row["model"], row["fold"], *(row.get(name) for name in names)] for row in folds]
    return [table(["model", "fold", *(name.replace("_", " ") for name in names)], rows)]


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = ("read", "kept", "duplicate", "filtered", "rejected")
    return [
        table(
            ["file", *names], [[number, *(row[name] for name in names)] for number, row in enumerate(rows, 1)]
        )
    ]


def _table(figures: Mapping[str, Mapping[str, Any]], what: str) -> str:
    """A line a model, with the columns that any of them has."""
    names = list(dict.fromkeys(name for row in figures.values() for name in row))
    return table(
        [what, *names], [[model, *(row.get(name) for name in names)] for model, row in figures.items()]
    )
