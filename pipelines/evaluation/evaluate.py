"""The proof of it: every model fitted from scratch to every fold, and measured on what was held out."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Floats
from engine.config.sections import Config, SentimentConfig
from engine.errors import ConfigError
from engine.model.scorer import Model
from pipelines.baselines.registry import BASELINES, Fitted, fit_baseline
from pipelines.dataset.reviews import default_like_rating
from pipelines.dataset.sentiment import BLEND, SENTIMENT, SIGNALS, describe_sentiment, training_reviews
from pipelines.dataset.splits import is_drawn_anywhere
from pipelines.evaluation import comparison
from pipelines.evaluation.comparison import verdicts
from pipelines.evaluation.data import Given, Pair, Prepared, read_for_protocol, read_pairs
from pipelines.evaluation.fold_figures import FoldFigures, measure
from pipelines.evaluation.page import evaluation_page
from pipelines.evaluation.protocols import PROTOCOLS, UNORDERED, Fold, make_folds
from pipelines.evaluation.results import OURS, Evaluation
from pipelines.evaluation.similar_movies import Compared, measure_similar, summarize
from pipelines.ingest.accounting import Accounting
from pipelines.neighbours.content import content_features
from pipelines.work.output import PAGE_SUFFIXES, check_output, write_text

logger = logging.getLogger(__name__)

DEFAULT_MODELS = (OURS, "ease", "item-knn", "popularity", "biases", "constants")
MAX_REVIEWERS = 20_000
"""Reviewers whose catalogue is ranked in a fold; more would cost hours and not move the figures."""


def evaluate(
    reviews: Sequence[Path] = (),
    *,
    metadata: Sequence[Path] = (),
    protocol: str = "temporal",
    models: Sequence[str] = DEFAULT_MODELS,
    config: Config | None = None,
    pairs: Sequence[tuple[Path, Path]] = (),
    max_reviewers: int | None = MAX_REVIEWERS,
    negatives: Path | None = None,
    output: Path | None = None,
) -> Evaluation:
    """Fits models to the training part of every fold, from scratch, and measures them on the rest.

    Args:
        reviews: review files, which the protocol divides; none where pairs are given.
        metadata: movie files, whose titles tell which movies are variants of one film.
        protocol: one of PROTOCOLS.
        models: "ncf", those of SIGNALS, and the names in BASELINES.
        config: as for a build; its seed is that of every random choice. Where it uses sentiment, "ncf" learns
            from stars all the same, and those of SIGNALS stand beside it.
        pairs: files of training and of test reviews, one pair a fold.
        max_reviewers: how many reviewers are ranked in a fold at most.
        negatives: a file of candidates, as `read_negatives` takes it: only these and the held-out movies are
            ranked, and only for the reviewers that it names. By default the whole catalogue is.
        output: a web page to show it on, if any.

    What the engine's own model is validated on in training is like what is held out, unless `split.order`
    says otherwise: drawn at random under "random" and "folds", and where given test reviews lie anywhere
    among their reviewers' training reviews; and the last reviews elsewhere.

    Raises:
        ConfigError: an unknown model or protocol, one that cannot take the data, or reviews and pairs.
        EngineError: as a build.
    """
    config = config or Config()
    if config.sentiment.use:
        models = _with_signals(models)
    _check_request(reviews, protocol, models, pairs)
    if output is not None:
        check_output(Path(output), PAGE_SUFFIXES)
    if negatives is not None and not negatives.is_file():
        raise ConfigError(f"There is no file of candidates at {negatives}")
    sentiment = any(model in SIGNALS for model in models)
    folds: Iterator[Fold]
    read: Given | Prepared
    if pairs:
        given = [Pair(*map(Path, pair)) for pair in pairs]
        read = read_pairs(given, metadata, config.ingest, negatives, sentiment=sentiment)
        folds, accountings = iter(read.folds), read.accountings
    else:
        read = prepared = read_for_protocol(reviews, metadata, config.ingest, negatives, sentiment=sentiment)
        accountings = [prepared.accounting]
        folds = make_folds(prepared.reviews, protocol, groups=prepared.groups, seed=config.seed)
    first = next(folds)
    like_rating = config.rating.like_rating
    if like_rating is None:
        like_rating = default_like_rating(first.train.levels)
    models = [
        model for model in dict.fromkeys(models) if first.train.has_ratings or not _needs_ratings(model)
    ]
    features = None
    if config.neighbours.num_content_neighbours and not set(models) <= set(BASELINES):
        features = content_features(read.words, config.cold)
    splits, counts = [], []
    results: dict[str, list[FoldFigures]] = {model: [] for model in models}
    seconds: dict[str, list[float]] = {model: [] for model in models}
    similar: list[Mapping[str, Compared]] = []
    for number, fold in enumerate(chain([first], folds), start=1):
        candidates = read.negatives.with_held_out(fold.test) if read.negatives else None
        splits.append(_describe(fold))
        counts.append(np.bincount(fold.train.reviewer_rows, minlength=fold.train.num_reviewers))
        logger.info(
            "Fold %d: %s", number, ", ".join(f"{name} {count:,}" for name, count in splits[-1].items())
        )
        for_fold = config
        if config.split.order == "auto" and (
            is_drawn_anywhere(fold.train, fold.test) if pairs else protocol in UNORDERED
        ):
            for_fold = replace(config, split=replace(config.split, order="none"))
        for model in models:
            started = time.perf_counter()
            fitted = _fit(model, fold, like_rating, for_fold, features)
            seconds[model].append(round(time.perf_counter() - started, 3))
            figures = measure(
                fitted,
                fold,
                like_rating=like_rating,
                max_reviewers=max_reviewers,
                seed=config.seed,
                candidates=candidates,
                half_life_days=config.popularity.half_life_days,
            )
            if model == OURS and isinstance(fitted, Model):
                similar.append(measure_similar(fitted, fold, read.links, seed=config.seed))
            results[model].append(figures)
            logger.info("Fold %d, %s: %s", number, model, _text(figures))
    reference = OURS if OURS in models else models[0]
    p_values = comparison.tests_against(results, reference, seed=config.seed)
    evaluation = Evaluation(
        protocol="given" if pairs else protocol,
        like_rating=like_rating,
        rows=[_rows(accounting) for accounting in accountings],
        splits=splits,
        results=results,
        seconds=dict(seconds),
        intervals=comparison.intervals(results, seed=config.seed),
        reference=reference,
        p_values=p_values,
        by_reviews=comparison.by_reviews(results, counts),
        similar=summarize(similar, seed=config.seed),
        negatives=read.negatives.account if read.negatives else None,
        sentiment=describe_sentiment(first.train)
        | {
            "weight": config.sentiment.weight,
            "verdicts": verdicts(comparison.mean_figures(results), p_values, reference),
        }
        if sentiment
        else None,
    )
    if output is not None:
        write_text(evaluation_page(evaluation.to_dict()), Path(output))
        logger.info("Wrote %s", output)
    return evaluation


def _with_signals(models: Sequence[str]) -> list[str]:
    """Puts those that take sentiment behind the engine's own model, or first where that is not asked for."""
    others = [model for model in models if model not in SIGNALS and model != OURS]
    return [OURS, *SIGNALS, *others]


def _check_request(
    reviews: Sequence[Path], protocol: str, models: Sequence[str], pairs: Sequence[tuple[Path, Path]]
) -> None:
    if bool(reviews) == bool(pairs):
        raise ConfigError("Give either files of reviews or pairs of training and test files, one of the two")
    if protocol not in PROTOCOLS:
        raise ConfigError(f"There is no protocol {protocol!r}; expected one of {', '.join(PROTOCOLS)}")
    known = (OURS, *SIGNALS, *BASELINES)
    if unknown := [model for model in models if model not in known]:
        raise ConfigError(f"There is no model {unknown[0]!r}; expected some of {', '.join(known)}")
    if not models:
        raise ConfigError(f"No model is named; expected some of {', '.join(known)}")


def _needs_ratings(model: str) -> bool:
    return model in BASELINES and BASELINES[model].needs_ratings


def _fit(model: str, fold: Fold, like_rating: float, config: Config, features: Floats | None) -> Fitted:
    if model in BASELINES:
        return fit_baseline(model, fold.train, like_rating=like_rating, seed=config.seed)
    from pipelines.training.fit import fit_model

    weight = {OURS: 0.0, SENTIMENT: 1.0, BLEND: config.sentiment.weight}[model]
    signal = SentimentConfig(use=model != OURS, weight=weight)
    return fit_model(training_reviews(fold.train, signal), config, features=features).model


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


def _rows(accounting: Accounting) -> dict[str, Any]:
    names = ("read", "kept", "duplicate", "filtered", "rejected", "filtered_by", "rejected_by")
    return {name: value for name, value in accounting.to_dict().items() if name in names}


def _text(figures: FoldFigures) -> str:
    names = ("mae", "rmse", "ndcg@10", "recall@20")
    return ", ".join(f"{name} {figures.figures[name]:.4f}" for name in names if name in figures.figures)
