"""Fits every model to the training reviews of every fold, and measures the model on the test reviews."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Rows
from engine.config.sections import Config
from engine.errors import ConfigError, DataError
from pipelines.baselines.registry import BASELINES
from pipelines.dataset.reviews import like_rating_of, say_likes
from pipelines.dataset.sentiment import SIGNALS, describe_sentiment
from pipelines.dataset.splits import is_drawn_anywhere
from pipelines.evaluation import comparison
from pipelines.evaluation.data import GIVEN, EvaluationData, read_for_protocol, read_pairs
from pipelines.evaluation.models import FoldWork, MeasuredModel, measure_model, needs_ratings
from pipelines.evaluation.page import evaluation_page
from pipelines.evaluation.protocols import PROTOCOLS, UNORDERED, Fold
from pipelines.evaluation.results import OWN_MODEL, Evaluation
from pipelines.evaluation.similar_movies import summarize, summarize_looks
from pipelines.inputs.named import Sources, inputs_of
from pipelines.inputs.spool import Input, name_of_input
from pipelines.neighbours.content import content_features
from pipelines.similar.learning import are_learned
from pipelines.work.extras import require_build_packages
from pipelines.work.output import PAGE_SUFFIXES, check_output, write_text
from pipelines.work.runners import Runner, check_place, runner_for
from pipelines.work.threads import one_thread

logger = logging.getLogger(__name__)

DEFAULT_MODELS = (OWN_MODEL, "ease", "item-knn", "popularity", "biases", "constants")
MAX_REVIEWERS = 20_000
"""The largest number of reviewers in a fold for whom movies are ranked, unless the caller gives another
number; ranking movies for more reviewers would take hours and hardly change the metrics."""
_LOGGED = ("mae", "rmse", "ndcg@10", "recall@20")
_ROWS = (
    *("read", "kept", "duplicate", "filtered", "rejected", "filtered_by", "rejected_by"),
    *("times_lost", "times_lost_by"),
)
"""The names of the numbers that an evaluation reports about the rows of the review files, such as how many
rows were kept."""


@one_thread()
def evaluate(
    reviews: Sources = (),
    *,
    metadata: Sources = (),
    protocol: str = "temporal",
    models: Sequence[str] = DEFAULT_MODELS,
    config: Config | None = None,
    pairs: Sequence[tuple[Path, Path]] = (),
    max_reviewers: int | None = MAX_REVIEWERS,
    negatives: Path | None = None,
    output: Path | None = None,
    on: str | None = None,
    address: str | None = None,
    processes: int = 0,
) -> Evaluation:
    """Fits each model to the training reviews of each fold, and measures the model on the test reviews.

    The training of the engine's own model holds out some training reviews as validation reviews, which are
    chosen according to the setting `split.order`. If the setting `split.order` is "auto", validation reviews
    are chosen in the same way as test reviews. If the test reviews are a random sample of each reviewer's
    reviews, the validation reviews are drawn at random; otherwise, the validation reviews are the last
    training reviews of each reviewer. The protocols "random" and "folds" draw a random sample of test
    reviews. If `pairs` are given, `is_drawn_anywhere` compares the times of training reviews and test reviews
    to find out whether the test reviews are a random sample.

    Args:
        reviews: the review files or tables, as in `build_index`, whose reviews the protocol divides; empty if
            `pairs` are given.
        metadata: the movie files or tables; movies with the same title count as variants (DVD, Blu-ray) of
            one film.
        protocol: the name of the protocol, one of PROTOCOLS; ignored if `pairs` are given.
        models: the names of the models: "ncf" for the engine's own model, names in SIGNALS, and names in
            BASELINES.
        config: the settings, as for a build; the setting `seed` decides every random choice. If the setting
            `sentiment.use` is true, the model "ncf" learns from stars alone, and the models in SIGNALS are
            measured as well.
        pairs: a file of training reviews and a file of test reviews for each fold.
        max_reviewers: the largest number of reviewers in a fold for whom movies are ranked; None for all
            reviewers.
        negatives: a file of candidate movies, in the format of `read_candidates`. For each reviewer in the
            file of candidates, models rank the reviewer's candidates and held-out movies. If `negatives` is
            None, models rank the whole catalogue for every reviewer.
        output: the file to which a web page of the evaluation is written; None for no web page.
        on: "ray" to fit and measure several models at the same time in workers of Ray; None to fit and
            measure one model after another in this process, with the same results.
        address: the address of a Ray cluster, or "auto" for the cluster that this machine belongs to; None to
            start Ray on this machine.
        processes: the number of workers of Ray; 0 for one worker on each core.

    Raises:
        ConfigError: a model or a protocol is unknown; a model cannot use the data; `reviews` and `pairs` are
            both given; or `reviews` and `pairs` are both empty.
        EngineError: a file cannot be read; or the training of a model fails, for example because the loss is
            not finite.
    """
    require_build_packages("An evaluation")
    check_place(on, address, processes)
    if processes and on is None:
        raise ConfigError("Models are fitted one after another without Ray; give --on ray, or no --processes")
    config = config or Config()
    models = list(dict.fromkeys([OWN_MODEL, *SIGNALS, *models] if config.sentiment.use else models))
    if output is not None:
        check_output(Path(output), PAGE_SUFFIXES)
    sentiment = any(model in SIGNALS for model in models)
    with inputs_of(reviews, metadata) as (inputs, described):
        names = list(map(name_of_input, inputs))
        _check_request(inputs, protocol, models, pairs, negatives)
        if pairs:
            data = read_pairs(pairs, described, config, negatives, sentiment=sentiment)
        else:
            data = read_for_protocol(inputs, described, protocol, config, negatives, sentiment=sentiment)
    with runner_for(on, address, processes) as runner:
        found = _measure_folds(data, models, config, max_reviewers, runner)
    evaluation = _summed_up(found, data, config)
    if output is not None:
        files = [*names, *(path for pair in pairs for path in pair)]
        write_text(evaluation_page(evaluation, files), Path(output))
        logger.info("Wrote %s", output)
    return evaluation


def _check_request(
    reviews: Sequence[Input],
    protocol: str,
    models: Sequence[str],
    pairs: Sequence[tuple[Path, Path]],
    negatives: Path | None,
) -> None:
    if bool(reviews) == bool(pairs):
        raise ConfigError("Give either files of reviews or pairs of training and test files, one of the two")
    if protocol not in PROTOCOLS:
        raise ConfigError(f"There is no protocol {protocol!r}; expected one of {', '.join(PROTOCOLS)}")
    known = (OWN_MODEL, *SIGNALS, *BASELINES)
    if unknown := [model for model in models if model not in known]:
        raise ConfigError(f"There is no model {unknown[0]!r}; expected some of {', '.join(known)}")
    if not models:
        raise ConfigError(f"No model is named; expected some of {', '.join(known)}")
    if negatives is not None and not negatives.is_file():
        raise ConfigError(f"There is no file of candidates at {negatives}")


@dataclass
class _Measured:
    """Holds the results of all models on one fold."""

    like_rating: float
    split: dict[str, int]
    counts: Rows
    """The number of training reviews of each reviewer, int64 [num_reviewers]."""
    sentiment: dict[str, Any] | None
    """The statistics of the sentiment of training reviews; None if no sentiment was scored."""
    models: dict[str, MeasuredModel] = field(default_factory=dict)
    """The results of each model; the keys are the names of the models."""


def _measure_folds(
    data: EvaluationData, models: Sequence[str], config: Config, max_reviewers: int | None, runner: Runner
) -> list[_Measured]:
    """Fits and measures every model on every fold, in parallel if the runner has several workers.

    Models that need ratings are skipped if the reviews have no ratings.
    """
    features = None
    if config.neighbours.num_content_neighbours and not set(models) <= set(BASELINES):
        features = content_features(data.words)
    learned = replace(data.traits, links=data.traits.links[are_learned(data.traits.links)])
    found: list[_Measured] = []
    asked: list[tuple[int, str]] = []

    def calls() -> Iterator[tuple[Any, str]]:
        for number, fold in enumerate(data.folds):
            work = FoldWork(
                fold,
                like_rating=like_rating_of(fold.train, config),
                config=config,
                fitting=_validated_like(config, fold, data.protocol),
                features=features,
                learned=learned,
                traits=data.traits,
                candidates=data.candidates.with_held_out(fold.test) if data.candidates else None,
                max_reviewers=max_reviewers,
            )
            if not number:
                say_likes(fold.train, config)
            found.append(_described(work))
            fitting = [model for model in models if fold.train.has_ratings or not needs_ratings(model)]
            if not fitting:
                raise DataError(
                    f"These reviews have no ratings, which {', '.join(models)} need; name models that rank, "
                    "such as ncf or popularity"
                )
            logger.info("Fold %d: %s", number + 1, _in_words(found[number].split))
            shared = runner.share(work)
            for model in fitting:
                asked.append((number, model))
                yield shared, model

    for position, measured in runner.run(measure_model, calls()):
        number, model = asked[position]
        found[number].models[model] = measured
        figures = measured.figures.figures
        text = ", ".join(f"{name} {figures[name]:.4f}" for name in _LOGGED if name in figures)
        logger.info("Fold %d, %s: %s", number + 1, model, text)
    for one in found:
        one.models = {model: one.models[model] for model in models if model in one.models}
    return found


def _validated_like(config: Config, fold: Fold, protocol: str) -> Config:
    """Returns settings with which validation reviews are chosen in the same way as the test reviews."""
    if config.split.order != "auto":
        return config
    at_random = is_drawn_anywhere(fold.train, fold.test) if protocol == GIVEN else protocol in UNORDERED
    return replace(config, split=replace(config.split, order="none")) if at_random else config


def _described(work: FoldWork) -> _Measured:
    train = work.fold.train
    return _Measured(
        work.like_rating,
        _describe(work.fold),
        counts=train.reviewer_counts(),
        sentiment=None if train.sentiment is None else describe_sentiment(train),
    )


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _describe(fold: Fold) -> dict[str, int]:
    train, test = fold.train, fold.test
    return {
        "train": len(train),
        "test": len(test),
        "test_reviewers": len(np.unique(test.reviewer_rows)),
        "of_unknown_reviewers": int((~np.isin(test.reviewer_rows, train.reviewer_rows)).sum()),
        "of_unknown_movies": int((~np.isin(test.movie_rows, train.movie_rows)).sum()),
        "leaks_prevented": fold.num_leaks,
    }


def _summed_up(folds: Sequence[_Measured], data: EvaluationData, config: Config) -> Evaluation:
    """Makes the `Evaluation` from the results of all folds, with intervals, tests and metrics by group."""
    measured = {model: [fold.models[model] for fold in folds] for model in folds[0].models}
    results = {model: [one.figures for one in several] for model, several in measured.items()}
    reference = OWN_MODEL if OWN_MODEL in results else next(iter(results))
    p_values = comparison.tests_against(results, reference, seed=config.seed)
    sentiment = folds[0].sentiment
    if sentiment is not None:
        verdicts = comparison.verdicts(comparison.mean_figures(results), p_values, reference)
        sentiment = {**sentiment, "weight": config.sentiment.weight, "verdicts": verdicts}
    accounts = [accounting.to_dict() for accounting in data.accountings]
    return Evaluation(
        protocol=data.protocol,
        like_rating=folds[0].like_rating,
        rows=[{name: account[name] for name in _ROWS} for account in accounts],
        splits=[fold.split for fold in folds],
        results=results,
        seconds={model: [one.seconds for one in several] for model, several in measured.items()},
        curves={
            model: [one.curves for one in several] for model, several in measured.items() if several[0].curves
        },
        intervals=comparison.intervals(results, seed=config.seed),
        reference=reference,
        p_values=p_values,
        by_reviews=comparison.by_reviews(results, [fold.counts for fold in folds]),
        similar=summarize([one.similar for one in measured.get(OWN_MODEL, ())], seed=config.seed),
        looks=summarize_looks([one.looks for one in measured.get(OWN_MODEL, ()) if one.looks is not None]),
        negatives=data.candidates.account if data.candidates else None,
        sentiment=sentiment,
    )
