"""Implements `engine evaluate`, which compares the engine with baselines on held-out reviews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from engine.cli.options import FORMAT, ON, PATH, VERBOSE, count, option
from engine.cli.output import TableFormatter, print_report
from engine.cli.source_options import PAGE, SEED, SENTIMENT, SOURCE, SOURCE_OPTIONS, SourceCommand
from engine.cli.terminal import say

_FIGURES = (
    *("mae", "rmse", "ndcg@10", "recall@10", "recall@20", "hit_rate@10", "mrr@10", "coverage@10"),
    *("novelty@10", "gini@10", "log_loss", "calibration_error"),
)


@click.command(
    cls=SourceCommand,
    params=[
        click.Argument(["reviews"], nargs=-1, type=SOURCE),
        option(
            ["--protocol"],
            default="temporal",
            metavar="NAME",
            help="Divide REVIEWS by temporal (one moment for all), leave-last-out, last-share (each "
            "reviewer's last fifth), random (a fifth), or folds (five, stratified by rating).",
        ),
        option(
            ["--train"],
            type=PATH,
            multiple=True,
            metavar="FILE",
            help="Learn from this file, in place of REVIEWS. May be given several times, each with a --test.",
        ),
        option(
            ["--test"],
            type=PATH,
            multiple=True,
            metavar="FILE",
            help="Measure on this file what --train taught.",
        ),
        option(
            ["--models"],
            metavar="NAMES",
            help="Compare these, with commas between: ncf (this engine), constants, biases, popularity, "
            "item-knn, ease, base, final, als, svd, svd++. By default "
            "ncf,ease,item-knn,popularity,biases,constants.",
        ),
        option(
            ["--max-reviewers"],
            type=count,
            default=20_000,
            metavar="N",
            help="Rank the catalogue for at most this many reviewers of a fold, drawn at random.",
        ),
        option(
            ["--negatives"],
            type=PATH,
            metavar="FILE",
            help="Rank only given candidates and the held-out movies, as some published protocols do: lines "
            "of a reviewer's id and movie ids, between commas or tabs. By default the whole catalogue is "
            "ranked.",
        ),
        PAGE,
        *ON,
        option(
            ["--processes"],
            type=count,
            metavar="N",
            help="Use this many workers of Ray; by default one for each processor.",
        ),
        *(*SOURCE_OPTIONS, SEED, SENTIMENT, *FORMAT, VERBOSE),
    ],
)
def evaluate(
    reviews: tuple[Path, ...],
    train: tuple[Path, ...],
    test: tuple[Path, ...],
    models: str | None,
    output: Path | None,
    processes: int | None,
    format: str,
    **settings: Any,
) -> None:
    """Measure the engine against baselines on held-out reviews.

    REVIEWS are divided, once or several times, into a training part and a held-out part. Every model is
    trained on the training part, and measured on the held-out part. A model is measured by the MAE and RMSE
    of its predicted ratings, and by its rankings of the whole catalogue. A review is not held out if the
    training part holds a copy of the review, such as a copy for another edition of the film. The command
    prints how many reviews are not held out because they have copies. The formats jsonl, csv and tsv hold
    only the metrics of each model.
    """
    if len(train) != len(test):
        raise click.UsageError("Give a --test for every --train, in the same order.")
    if bool(reviews) == bool(train):
        raise click.UsageError("Name files of reviews, or --train and --test files, but not both.")
    from pipelines.evaluation.evaluate import DEFAULT_MODELS, evaluate

    names = [name.strip() for name in models.split(",") if name.strip()] if models else DEFAULT_MODELS
    pairs = list(zip(train, test, strict=True))
    found = evaluate(
        reviews, models=names, pairs=pairs, output=output, processes=processes or 0, **settings
    ).to_dict()
    records = [{"model": model, **figures} for model, figures in found["mean"].items()]
    print_report(found, format, lambda table: _lines(found, table), records)
    if output is not None:
        say(f"The page is {output}", err=True)


def _lines(found: Mapping[str, Any], table: TableFormatter) -> list[str]:
    """Returns the lines that `engine evaluate` prints: metrics, 95% intervals, p-values and groups."""
    splits: Sequence[Mapping[str, int]] = found["splits"]
    intervals = {
        model: {name: f"{low:.4f} - {high:.4f}" for name, (low, high) in figures.items() if low is not None}
        for model, figures in found["intervals"].items()
    }
    lines = [
        f"protocol {found['protocol']}: {len(splits)} {'fold' if len(splits) == 1 else 'folds'}, "
        f"{sum(split['test'] for split in splits):,} reviews held out, "
        f"{found['leaks_prevented']:,} leaks prevented, relevant from {found['like_rating']:g} on",
        _ranked(found["negatives"]),
        *_unranked(found),
        "",
        _figures(found["mean"], table),
        "",
        "95% intervals over reviewers:",
        _figures(intervals, table),
    ]
    tests = found["tests"]
    if any(tests["p_values"].values()):
        lines += [
            "",
            f"p-values of the difference to {tests['against']}:",
            _figures(tests["p_values"], table),
        ]
    groups = {
        f"{model}, {group}": figures
        for model, by_group in found["by_reviews"].items()
        for group, figures in by_group.items()
    }
    lines += ["", "by how many training reviews the reviewer has:", _figures(groups, table)]
    if found["similar"]:
        lines += ["", "similar movies, against co-reviews alone:", _similar_table(found["similar"], table)]
        lines += _look_lines(found["looks"], table)
    if found["sentiment"]:
        lines += ["", *_sentiment_lines(found["sentiment"])]
    return lines


def _unranked(found: Mapping[str, Any]) -> list[str]:
    """Returns a line that says why ranking metrics are missing, if no held-out review is a like."""
    if all(figures.get("ndcg@10", 0) is None for figures in found["mean"].values()):
        return [f"no held-out review is rated {found['like_rating']:g} or more, so no list was measured"]
    return []


def _ranked(negatives: Mapping[str, Any] | None) -> str:
    if negatives is None:
        return "ranked: the whole catalogue but for what training has of the reviewer"
    return (
        f"ranked: only the held-out movies and {negatives['used']:,} candidates from {negatives['file']}, "
        f"for {negatives['reviewers']:,} reviewers, not the whole catalogue "
        f"(unknown: {negatives['unknown_reviewers']:,} reviewers, {negatives['unknown_movies']:,} movies)"
    )


def _similar_table(similar: Mapping[str, Any], table: TableFormatter) -> str:
    models = ("ncf", "co-review")
    names = {"links": "movies that metadata links", "held_out": "held-out reviews after the last one"}
    rows = [
        [names[name], row["questions"], *(row[model]["recall@10"] for model in models), row["p_value"]]
        for name, row in similar.items()
    ]
    headings = ["found", "questions", *(f"{model} recall@10" for model in models), "p-value"]
    return table(headings, rows)


def _look_lines(looks: Mapping[str, Any], table: TableFormatter) -> list[str]:
    """Returns lines that tell how often lists of similar movies hold unrelated movies, and sequels.

    A movie in a list of similar movies counts as unrelated if it has no category in common with the movie for
    which the list was made. The first returned lines are a table with the share of unrelated movies in lists
    of similar movies. The last returned line counts the pairs of a film and a sequel in which each of the two
    films is among the first five movies similar to the other film.
    """
    lines = []
    if shares := looks.get("without_common_category"):
        rows = [[group, row["movies"], row["share"], row["random"]] for group, row in shares.items()]
        headings = ["reviews of the movie", "movies", "share in lists", "share of all movies"]
        lines += ["", "similar movies without a common category:", table(headings, rows)]
    if series := looks.get("series"):
        counted = f"{series['found']:,} of {series['pairs']:,} films and their sequels"
        lines.append(f"{counted} stand in each other's first five")
    return lines


def _sentiment_lines(sentiment: Mapping[str, Any]) -> list[str]:
    correlation = sentiment["correlation"]
    shown = "cannot be told" if correlation is None else f"{correlation:.2f}"
    return [
        f"sentiment of {sentiment['with_sentiment']:,} of {sentiment['reviews']:,} training reviews; "
        f"correlation with the stars: {shown}; weight in ncf-blend: {sentiment['weight']:g}",
        *(f"{model}: {verdict}" for model, verdict in sentiment["verdicts"].items()),
    ]


def _figures(figures: Mapping[str, Mapping[str, Any]], table: TableFormatter) -> str:
    """Formats metrics as a table with a line for each model and a column for each metric."""
    names = [name for name in _FIGURES if any(name in row for row in figures.values())]
    rows = [[model, *(row.get(name) for name in names)] for model, row in figures.items()]
    return table(["model", *names], rows)
