"""Searches for better settings in trials on validation reviews, and writes the best settings as a recipe."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.config.sections import Config
from engine.config.values import merge
from engine.errors import ConfigError, DataError, TrainingError
from pipelines.dataset.reviews import Reviews, read_reviews, say_likes
from pipelines.ingest.ingest import ingest
from pipelines.tuning.parts import PARTS, Part, TuningData, split_for_tuning
from pipelines.tuning.recipe import write_recipe
from pipelines.work.checkpoints import going_on
from pipelines.work.database import reason_of, work_database
from pipelines.work.extras import require_build_packages
from pipelines.work.output import RECIPE_SUFFIXES, check_output
from pipelines.work.progress import progress_of_trials
from pipelines.work.tensorflow_start import start_tensorflow

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage

logger = logging.getLogger(__name__)

MAX_TRIALS = 100
"""The largest number of trials for each part of the model by default; more trials hardly find better
settings."""
_FULL_TRIALS = 3
"""The number of trials of a search that always run to the end, so that later trials can be compared with
them."""
_FIRST_ROUNDS = 2
"""The number of training rounds of a trial that are never pruned, because the first figures say little."""


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """Holds the best settings of one part of a model, and the validation figure before and after tuning."""

    name: str
    figure: str
    """The name of the validation figure; a higher figure is better."""
    before: float
    after: float
    settings: Mapping[str, Any]
    """The settings with the best validation figure, by dotted name such as "rating.l2"."""
    trials: int
    """The number of trials that ended, in this run and in earlier runs."""
    pruned: int
    """The number of trials that were pruned, which means stopped early."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Holds the tuned parts of a model, and the configuration with the best settings of all parts."""

    config: Config
    parts: Sequence[Tuned]

    def to_dict(self) -> dict[str, Any]:
        """Returns the results of all tuned parts as nested dictionaries of plain values."""
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
    """Searches for better values of the few settings that matter, and writes a recipe with the best values.

    The first trial of every part of the model uses the settings of `config`. Trials are saved in a database
    beside the recipe; another run with the same reviews and configuration continues from the saved trials.
    The search never looks at the test reviews. The recipe holds all settings that differ from the defaults.

    Args:
        reviews: the review files.
        output: the path of the recipe, which ends with .toml.
        metadata: the files with metadata of movies; needed if the configuration filters reviews by metadata.
        config: the settings with which the search begins.
        time_budget: the seconds for all parts of the model together; each part runs at least one trial.
        trials: the largest number of trials of each part, in this run and in earlier runs together.

    Raises:
        ConfigError: the output is not a writable .toml file, or the time budget or `trials` is too small.
        EngineError: as in a build.
    """
    require_build_packages("A search for settings")
    config = config or Config()
    check_output(output, RECIPE_SUFFIXES)
    if time_budget <= 0 or trials < 1:
        raise ConfigError("A search needs a time budget above 0 and at least one trial")
    with work_database(config.ingest) as database:
        ingest(database, list(reviews), list(metadata), config.ingest)
        prepared = read_reviews(database, config)
    say_likes(prepared, config)
    start_tensorflow()
    storage = output.with_suffix(".trials.sqlite")
    tuning = tune_reviews(prepared, config, storage, time_budget=time_budget, trials=trials)
    write_recipe(tuning.config, output, _notes(tuning, len(prepared)))
    return tuning


def tune_reviews(
    reviews: Reviews, config: Config, storage_file: Path, *, time_budget: float, trials: int
) -> Tuning:
    """Searches for the best settings for reviews in memory; saves trials in a database at `storage_file`."""
    data = split_for_tuning(reviews, config)
    parts = [part for part in PARTS if part.applies(data, config)]
    ends = time.monotonic() + time_budget
    found: list[Tuned] = []
    with going_on("the same command goes on with the search"), _storage(storage_file) as storage:
        for number, part in enumerate(parts):
            left = max(ends - time.monotonic(), 0.0)
            seconds = left * part.share / sum(other.share for other in parts[number:])
            found.append(_search(part, data, config, storage, seconds, trials))
    settings = {name: value for tuned in found for name, value in tuned.settings.items()}
    return Tuning(config=Config.from_dict(merge(config.to_dict(), settings)), parts=found)


def _search(
    part: Part, data: TuningData, config: Config, storage: BaseStorage, seconds: float, trials: int
) -> Tuned:
    """Searches the settings of one part of the model until `seconds` are over or `trials` have ended."""
    import optuna

    ends = time.monotonic() + seconds
    study = optuna.create_study(
        storage=storage,
        study_name=f"{part.name}-{_fingerprint(part, data, config)}",
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_FULL_TRIALS, n_warmup_steps=_FIRST_ROUNDS),
    )
    start = _start(part, config)
    waiting = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,))
    if not _completed(study) and not waiting:
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

        while len(_ended(study)) < trials:
            if time.monotonic() >= ends and _completed(study):
                break
            # A seed for each trial lets an interrupted search go on as if it had never been interrupted.
            study.sampler = optuna.samplers.TPESampler(seed=config.seed + len(_ended(study)))
            study.optimize(objective, n_trials=1)
            on_trial(len(_ended(study)), study.best_value)
    ended = _ended(study)
    return Tuned(
        name=part.name,
        figure=part.figure,
        before=next(trial.value for trial in ended if trial.value is not None),
        after=study.best_value,
        settings={name: _rounded(part, name, study.best_params[name]) for name in part.ranges},
        trials=len(ended),
        pruned=sum(trial.state == optuna.trial.TrialState.PRUNED for trial in ended),
    )


def _ended(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Returns the trials that were completed or pruned, oldest first."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def _completed(study: optuna.Study) -> bool:
    """Tells whether any trial of the study was completed."""
    return any(trial.state.name == "COMPLETE" for trial in _ended(study))


def _start(part: Part, config: Config) -> dict[str, Any]:
    """Returns the settings that are tried first: the settings in `config`, clipped to the searched ranges."""
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
    """Rounds a setting to three significant digits, so that the recipe holds exactly the value tried."""
    return int(value) if part.ranges[name].whole else float(f"{value:.3g}")


def _fingerprint(part: Part, data: TuningData, config: Config) -> str:
    """Returns a hash of the reviews, the settings and the ranges of a search.

    The hash is a part of the name under which the trials of the search are saved.
    """
    digest = hashlib.sha256(json.dumps([config.to_dict(), part.ranges], sort_keys=True).encode())
    for reviews in (data.train, data.held_out):
        for array in (reviews.reviewer_rows, reviews.movie_rows, reviews.level_rows, reviews.levels):
            digest.update(array.tobytes())
    return digest.hexdigest()[:16]


@contextmanager
def _storage(path: Path) -> Iterator[BaseStorage]:
    """Opens the SQLite database of trials at a path, and closes the database at the end.

    Raises:
        DataError: the file is not a database of trials, or cannot be written.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    # At a lower level Optuna prints a traceback when a trial fails or is interrupted.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{path.absolute()}")
    except (SQLAlchemyError, OSError) as error:
        raise DataError(
            f"Cannot keep trials in {path}; expected the database of an earlier search or no file, in a "
            "folder that can be written to; move the file away"
        ) from error
    try:
        yield storage
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise DataError(
            f"Cannot keep trials in {path} any more: {reason_of(error.__cause__ or error)}; free some space, "
            "or write to another folder"
        ) from error
    finally:
        with suppress(SQLAlchemyError):
            storage.remove_session()
            storage.engine.dispose()


def _notes(tuning: Tuning, num_reviews: int) -> list[str]:
    return [
        f"Found by engine tune on {num_reviews:,} reviews: what differs from the defaults.",
        "The figures are of the validation reviews that chose the settings, so they flatter a little;",
        "the test share was not looked at.",
        *(
            f"{part.name}: {part.figure} {part.before:.4f} -> {part.after:.4f} "
            f"in {part.trials} trials, {part.pruned} of them cut short"
            for part in tuning.parts
        ),
    ]
