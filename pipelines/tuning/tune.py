"""The search for settings: trials on validation reviews, poor ones cut short, the best one written down."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from engine.config.sections import Config
from engine.config.values import merge
from engine.errors import ConfigError, DataError, TrainingError
from pipelines.dataset.reviews import Reviews, read_reviews
from pipelines.ingest.ingest import ingest
from pipelines.tuning.parts import PARTS, Part, TuningData, split_for_tuning
from pipelines.tuning.recipe import write_recipe
from pipelines.work.database import open_database, storage_errors
from pipelines.work.output import RECIPE_SUFFIXES, check_output
from pipelines.work.progress import progress_of_trials
from pipelines.work.tensorflow_start import start_tensorflow

if TYPE_CHECKING:
    import optuna

logger = logging.getLogger(__name__)

MAX_TRIALS = 100
"""Trials of each part where nobody says how many: a hundred find what there is to find."""
_FULL_TRIALS = 3
"""Trials before any is cut short, so that there is something to compare with."""
_FIRST_ROUNDS = 2
"""Rounds in which none is cut short: they say little."""


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What a search of one part found."""

    name: str
    """The part."""
    figure: str
    """What it was judged by; higher is better."""
    before: float
    """The figure of the settings that were there."""
    after: float
    """The best figure."""
    settings: Mapping[str, Any]
    """The settings that gave it, by dotted name."""
    trials: int
    """Trials that ended, those of earlier runs as well."""
    pruned: int
    """Those of them that were cut short."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What a whole search found."""

    config: Config
    """With the best settings of every part."""
    parts: Sequence[Tuned]
    """Of each part that was tuned."""

    def to_dict(self) -> dict[str, Any]:
        """Gives the parts as plain values."""
        return {"parts": [dict(vars(part)) for part in self.parts]}


def tune(
    reviews: Sequence[Path],
    *,
    output: Path,
    metadata: Sequence[Path] = (),
    config: Config | None = None,
    time_budget: float = 600.0,
    trials: int = MAX_TRIALS,
) -> Tuning:
    """Searches the few settings that matter, and writes a recipe with what differs from the defaults.

    Every part of the model starts from the settings given. Trials are kept in a database beside the recipe;
    another run on the same reviews with the same configuration goes on from there.

    Args:
        reviews: review files.
        output: the recipe, which ends with .toml.
        metadata: movie files, which conditions on reviews may need.
        config: where the search starts; its test share is never looked at.
        time_budget: seconds for all parts; each has at least the one trial that others are compared with.
        trials: of each part at most, those of earlier runs included.

    Raises:
        ConfigError: the output or a limit makes no sense.
        EngineError: as a build.
    """
    config = config or Config()
    check_output(output, RECIPE_SUFFIXES)
    if time_budget <= 0 or trials < 1:
        raise ConfigError("A search needs a time budget above 0 and at least one trial")
    prepared = _read(reviews, metadata, config)
    start_tensorflow()
    tuning = tune_reviews(prepared, config, trials_file(output), time_budget=time_budget, trials=trials)
    write_recipe(tuning.config, output, _notes(tuning, len(prepared)))
    return tuning


def trials_file(output: Path) -> Path:
    """Where the trials for a recipe are kept."""
    return output.with_suffix(".trials.sqlite")


def tune_reviews(
    reviews: Reviews, config: Config, storage_file: Path, *, time_budget: float, trials: int
) -> Tuning:
    """Searches on reviews that were read; see `tune`."""
    data = split_for_tuning(reviews, config)
    parts = [part for part in PARTS if part.applies(data, config)]
    ends = time.monotonic() + time_budget
    found: list[Tuned] = []
    with _storage(storage_file) as storage:
        for number, part in enumerate(parts):
            left = max(ends - time.monotonic(), 0.0)
            seconds = left * part.share / sum(other.share for other in parts[number:])
            found.append(_search(part, data, config, storage, seconds, trials))
    settings = {name: value for tuned in found for name, value in tuned.settings.items()}
    return Tuning(config=Config.from_dict(merge(config.to_dict(), settings)), parts=found)


def _search(
    part: Part,
    data: TuningData,
    config: Config,
    storage: optuna.storages.BaseStorage,
    seconds: float,
    trials: int,
) -> Tuned:
    import optuna

    ends = time.monotonic() + seconds
    done = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    study = optuna.create_study(
        storage=storage,
        study_name=f"{part.name}-{_fingerprint(part, data, config)}",
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_FULL_TRIALS, n_warmup_steps=_FIRST_ROUNDS),
    )
    earlier = study.get_trials(deepcopy=False, states=done)
    # A seed that counts what was tried: the same one would draw the same settings again.
    study.sampler = optuna.samplers.TPESampler(seed=config.seed + len(earlier))
    begun = any(trial.value is not None for trial in earlier)
    start = _start(part, config)
    if not begun:
        study.enqueue_trial(start)
    with progress_of_trials(f"Tuning {part.name}", seconds) as on_trial:

        def objective(trial: optuna.Trial) -> float:
            settings = {name: _suggest(trial, part, name) for name in part.ranges}
            is_first = settings == start and not _completed(trial.study)
            rounds = 0

            def on_figure(figure: float) -> None:
                nonlocal rounds
                trial.report(figure, rounds)
                rounds += 1
                if not is_first and (time.monotonic() >= ends or trial.should_prune()):
                    raise optuna.TrialPruned

            tried = Config.from_dict(merge(config.to_dict(), settings))
            try:
                figure = part.measure(data, tried, on_figure)
            except TrainingError as error:
                if is_first:
                    raise
                raise optuna.TrialPruned(str(error)) from error
            logger.info("%s trial %d: %s %.4f", part.name, trial.number, part.figure, figure)
            return figure

        while len(study.get_trials(deepcopy=False, states=done)) < trials:
            if time.monotonic() >= ends and _completed(study):
                break
            study.optimize(objective, n_trials=1)
            on_trial(len(study.get_trials(deepcopy=False, states=done)), study.best_value)
    ended = study.get_trials(deepcopy=False, states=done)
    return Tuned(
        name=part.name,
        figure=part.figure,
        before=next(trial.value for trial in ended if trial.value is not None),
        after=study.best_value,
        settings={name: _rounded(part, name, study.best_params[name]) for name in part.ranges},
        trials=len(ended),
        pruned=sum(trial.state == optuna.trial.TrialState.PRUNED for trial in ended),
    )


def _completed(study: optuna.Study) -> bool:
    import optuna

    return bool(study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,)))


def _start(part: Part, config: Config) -> dict[str, Any]:
    """The settings that are there, taken to the nearest that may be tried."""
    given = config.to_dict()
    start = {}
    for name, (low, high, _, _) in part.ranges.items():
        section, _, setting = name.partition(".")
        start[name] = _rounded(part, name, min(max(given[section][setting], low), high))
    return start


def _suggest(trial: optuna.Trial, part: Part, name: str) -> float | int:
    low, high, log, whole = part.ranges[name]
    if whole:
        return trial.suggest_int(name, int(low), int(high), log=log)
    return _rounded(part, name, trial.suggest_float(name, low, high, log=log))


def _rounded(part: Part, name: str, value: float) -> float | int:
    """Three digits: what is tried is what is written down, and no more than that matters."""
    return int(value) if part.ranges[name].whole else float(f"{value:.3g}")


def _fingerprint(part: Part, data: TuningData, config: Config) -> str:
    """Tells a search from those on other reviews, from other settings, or over other ranges."""
    digest = hashlib.sha256(json.dumps([config.to_dict(), part.ranges], sort_keys=True).encode())
    for reviews in (data.earlier, data.later):
        for array in (reviews.reviewer_rows, reviews.movie_rows, reviews.level_rows, reviews.levels):
            digest.update(array.tobytes())
    return digest.hexdigest()[:16]


@contextmanager
def _storage(path: Path) -> Iterator[optuna.storages.BaseStorage]:
    """The database of trials."""
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{path.absolute()}")
    except (SQLAlchemyError, OSError) as error:
        raise DataError(
            f"Cannot keep trials in {path}; expected a database of an earlier search or none, in a folder "
            "that can be written to; move the file away"
        ) from error
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _read(reviews: Sequence[Path], metadata: Sequence[Path], config: Config) -> Reviews:
    limits = config.ingest
    with TemporaryDirectory(prefix="engine-tune-") as scratch, storage_errors():
        work = Path(scratch) / "work.duckdb"
        with open_database(work, memory_limit=limits.memory_limit, threads=limits.threads) as database:
            ingest(database, list(reviews), list(metadata), limits)
            return read_reviews(database)


def _notes(tuning: Tuning, num_reviews: int) -> list[str]:
    lines = [
        f"Found by engine tune on {num_reviews:,} reviews: what differs from the defaults.",
        "The figures are of the validation reviews that chose the settings, so they flatter a little;",
        "the test share was not looked at.",
    ]
    for part in tuning.parts:
        lines.append(
            f"{part.name}: {part.figure} {part.before:.4f} -> {part.after:.4f} "
            f"in {part.trials} trials, {part.pruned} of them cut short"
        )
    return lines
