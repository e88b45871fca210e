"""Fits every model from scratch to every fold, and measures it on what was held out."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import Floats, Rows
from engine.config.sections import Config, SentimentConfig
from engine.errors import ConfigError
from engine.model.scorer import Model
from pipelines.baselines.registry import BASELINES, Fitted, fit_baseline
from pipelines.baselines.seed import SeedBase, SeedFinal
from pipelines.dataset.reviews import default_like_rating
from pipelines.dataset.sentiment import BLEND, SENTIMENT, SIGNALS, describe_sentiment, training_reviews
from pipelines.dataset.splits import is_drawn_anywhere
from pipelines.evaluation import comparison
from pipelines.evaluation.data import GIVEN, EvaluationData, read_for_protocol, read_pairs
from pipelines.evaluation.fold_figures import FoldFigures, measure
from pipelines.evaluation.page import evaluation_page
from pipelines.evaluation.protocols import PROTOCOLS, UNORDERED, Fold
from pipelines.evaluation.results import OWN_MODEL, Evaluation
from pipelines.evaluation.similar_movies import Compared, measure_similar, summarize
from pipelines.neighbours.content import content_features
from pipelines.work.output import PAGE_SUFFIXES, check_output, write_text

logger = logging.getLogger(__name__)

DEFAULT_MODELS = (OWN_MODEL, "ease", "item-knn", "popularity", "biases", "constants")
MAX_REVIEWERS = 20_000
"""Reviewers who are ranked in a fold at most; more would cost hours and not move the figures."""
_LOGGED = ("mae", "rmse", "ndcg@10", "recall@20")
_ROWS = ("read", "kept", "duplicate", "filtered", "rejected", "filtered_by", "rejected_by")
"""What is said of the rows of the files."""


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
    """Fits models to the training reviews of every fold, from scratch, and measures them on the test reviews.

    While the engine's own model trains, it is validated on reviews that are held out as the test reviews are,
    unless `split.order` says otherwise: at random under "random" and "folds", and where given test reviews
    lie anywhere among their reviewers' training reviews; elsewhere each reviewer's last ones.

    Args:
        reviews: review files for the protocol to divide; none where pairs are given.
        metadata: movie files, whose titles tell which movies are variants of one film.
        protocol: one of PROTOCOLS.
        models: "ncf", names in SIGNALS, and names in BASELINES.
        config: the settings, as for a build; the seed is that of every random choice. Where it uses
            sentiment, "ncf" still learns from stars, and the models in SIGNALS stand beside it.
        pairs: a file of training and a file of test reviews for each fold.
        max_reviewers: how many reviewers are ranked in a fold at most.
        negatives: a file of candidates, as `read_candidates` takes it: only these and the held-out movies are
            ranked, for the reviewers in the file. By default the whole catalogue is ranked for everyone.
        output: a web page to write as well, if any.

    Raises:
        ConfigError: an unknown model or protocol, a model that cannot take the data, or reviews and pairs.
        EngineError: as in a build.
    """
    config = config or Config()
    models = list(dict.fromkeys([OWN_MODEL, *SIGNALS, *models] if config.sentiment.use else models))
    _check_request(reviews, protocol, models, pairs, negatives)
    if output is not None:
        check_output(Path(output), PAGE_SUFFIXES)
    sentiment = any(model in SIGNALS for model in models)
    if pairs:
        data = read_pairs(pairs, metadata, config.ingest, negatives, sentiment=sentiment)
    else:
        data = read_for_protocol(reviews, metadata, protocol, config, negatives, sentiment=sentiment)
    evaluation = _summed_up(list(_measure_folds(data, models, config, max_reviewers)), data, config)
    if output is not None:
        write_text(evaluation_page(evaluation), Path(output))
        logger.info("Wrote %s", output)
    return evaluation


def _check_request(
    reviews: Sequence[Path],
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
    """Holds what was measured on one fold, most of it by model."""

    like_rating: float
    split: dict[str, int]
    counts: Rows
    """int64 [num_reviewers], the training reviews of each reviewer."""
    sentiment: dict[str, Any] | None
    """What the texts of the training reviews say; None where they were not scored."""
    figures: dict[str, FoldFigures] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    curves: dict[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    similar: Mapping[str, Compared] = field(default_factory=dict)


def _measure_folds(
    data: EvaluationData, models: Sequence[str], config: Config, max_reviewers: int | None
) -> Iterator[_Measured]:
    """Fits every model to every fold and measures it; without ratings, leaves out models that need them."""
    features = None
    if config.neighbours.num_content_neighbours and not set(models) <= set(BASELINES):
        features = content_features(data.words)
    for number, fold in enumerate(data.folds, start=1):
        train = fold.train
        like_rating = config.rating.like_rating
        if like_rating is None:
            like_rating = default_like_rating(train.levels)
        found = _Measured(
            like_rating,
            _describe(fold),
            counts=np.bincount(train.reviewer_rows, minlength=train.num_reviewers),
            sentiment=None if train.sentiment is None else describe_sentiment(train),
        )
        split = ", ".join(f"{name} {count:,}" for name, count in found.split.items())
        logger.info("Fold %d: %s", number, split)
        candidates = data.candidates.with_held_out(fold.test) if data.candidates else None
        for_fold = _validated_like(config, fold, data.protocol)
        for model in models:
            if model in BASELINES and BASELINES[model].needs_ratings and not train.has_ratings:
                continue
            started = time.perf_counter()
            fitted = _fit(model, fold, like_rating, for_fold, features)
            found.seconds[model] = round(time.perf_counter() - started, 3)
            found.figures[model] = measure(fitted, fold, config, like_rating, max_reviewers, candidates)
            if model == OWN_MODEL and isinstance(fitted, Model):
                found.similar = measure_similar(fitted, fold, data.links, seed=config.seed)
            if isinstance(fitted, SeedBase | SeedFinal):
                found.curves[model] = fitted.curves
            figures = found.figures[model].figures
            text = ", ".join(f"{name} {figures[name]:.4f}" for name in _LOGGED if name in figures)
            logger.info("Fold %d, %s: %s", number, model, text)
        yield found


def _validated_like(config: Config, fold: Fold, protocol: str) -> Config:
    """Returns settings by which a model validates itself on reviews that are held out as in the fold."""
    if config.split.order != "auto":
        return config
    at_random = is_drawn_anywhere(fold.train, fold.test) if protocol == GIVEN else protocol in UNORDERED
    return replace(config, split=replace(config.split, order="none")) if at_random else config


def _fit(model: str, fold: Fold, like_rating: float, config: Config, features: Floats | None) -> Fitted:
    if model in BASELINES:
        return fit_baseline(model, fold.train, like_rating=like_rating, seed=config.seed)
    from pipelines.training.fit import fit_model

    weight = {OWN_MODEL: 0.0, SENTIMENT: 1.0, BLEND: config.sentiment.weight}[model]
    signal = SentimentConfig(use=model != OWN_MODEL, weight=weight)
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


def _summed_up(folds: Sequence[_Measured], data: EvaluationData, config: Config) -> Evaluation:
    """Compares the models over all folds."""
    results = {model: [fold.figures[model] for fold in folds] for model in folds[0].figures}
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
        seconds={model: [fold.seconds[model] for fold in folds] for model in results},
        curves={model: [fold.curves[model] for fold in folds] for model in folds[0].curves},
        intervals=comparison.intervals(results, seed=config.seed),
        reference=reference,
        p_values=p_values,
        by_reviews=comparison.by_reviews(results, [fold.counts for fold in folds]),
        similar=summarize([fold.similar for fold in folds], seed=config.seed),
        negatives=data.candidates.account if data.candidates else None,
        sentiment=sentiment,
    )
