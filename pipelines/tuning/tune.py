"""Searches for better settings by trials on held-out reviews; writes a TOML file with the best settings."""

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
from engine.errors import ConfigError, DataError
from pipelines.dataset.reviews import Reviews, read_reviews, say_likes
from pipelines.ingest.ingest import ingest
from pipelines.inputs.named import Sources, inputs_of
from pipelines.tuning.parts import PARTS, TunedPart, TuningData, split_for_tuning
from pipelines.tuning.recipe import write_recipe
from pipelines.tuning.trials import completed_trials, ended_trials, rounded, run_trials
from pipelines.work.checkpoints import going_on
from pipelines.work.database import reason_of, work_database
from pipelines.work.extras import require_build_packages
from pipelines.work.output import RECIPE_SUFFIXES, check_output
from pipelines.work.progress import progress_of_trials
from pipelines.work.runners import Runner, ThisProcess, check_place, runner_for
from pipelines.work.threads import one_thread

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

logger = logging.getLogger(__name__)

MAX_TRIALS = 100
"""The default of `trials`, the largest number of trials for each part of the model; more trials hardly find
better settings."""


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """Holds the best settings of one part of a model, and the validation metric before and after tuning."""

    name: str
    figure: str
    """The name of the validation metric, such as NDCG@20; a higher value is better."""
    before: float
    after: float
    settings: Mapping[str, Any]
    """The settings with the best validation metric, by dotted name such as "rating.l2"."""
    trials: int
    """The number of trials that have ended, in this run and in earlier runs."""
    pruned: int
    """The number of trials that were pruned (stopped early)."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Holds the best settings for each part of a model, and one configuration with all best settings.

    The tuned parts of a model are the relevance head, the rating head, and the linear model that finds
    neighbouring (similar) movies.
    """

    config: Config
    parts: Sequence[Tuned]

    def to_dict(self) -> dict[str, Any]:
        """Returns the results of all tuned parts as nested dictionaries of plain values."""
        return {"parts": [dict(vars(part)) for part in self.parts]}


@one_thread()
def tune(
    reviews: Sources,
    *,
    output: Path,
    metadata: Sources = (),
    config: Config | None = None,
    time_budget: float = 600.0,
    trials: int = MAX_TRIALS,
    at_once: int = 0,
    on: str | None = None,
    address: str | None = None,
) -> Tuning:
    """Searches for better values of the settings that matter most, and writes the best values to a file.

    The relevance head, the linear model of neighbouring movies and the rating head are tuned separately. The
    first trial of the relevance head, of the linear model and of the rating head uses the settings of
    `config`. The test reviews, on which a build measures its model, are not used.

    The written file is a recipe: a TOML file with all settings that differ from the defaults. Trials are
    saved in a database beside the file `output`; the name of the database ends with .trials.sqlite. Another
    run with the same output, reviews and configuration continues from the saved trials.

    Args:
        reviews: the review files.
        output: the path of the recipe, which ends with .toml.
        metadata: the files with metadata of movies; needed if the configuration filters reviews by metadata.
        config: the settings with which the search begins.
        time_budget: the number of seconds for all parts of the model together; even if the seconds are over,
            one trial of each part is run.
        trials: the largest number of trials of each part, in this run and in earlier runs together.
        at_once: the number of trials whose settings are chosen together, before one of these trials has
            ended; 0 for one trial, or with Ray for one trial per worker. With equal values of `at_once`, this
            process and Ray find the same settings, unless time runs out.
        on: "ray" to run several trials at the same time in workers of Ray; None to run trials one after
            another in this process.
        address: the address of a Ray cluster, or "auto" for the cluster that this machine belongs to; None to
            start Ray on this machine.

    Raises:
        ConfigError: the output is not a writable .toml file; the time budget or `trials` is too small.
        EngineError: a file or a setting is not usable; the reviews are too few for tuning.
    """
    require_build_packages("A search for settings")
    check_place(on, address, at_once)
    config = config or Config()
    check_output(output, RECIPE_SUFFIXES)
    if time_budget <= 0 or trials < 1:
        raise ConfigError("A search needs a time budget above 0 and at least one trial")
    with inputs_of(reviews, metadata) as inputs, work_database(config.ingest) as database:
        ingest(database, *inputs, config.ingest)
        prepared = read_reviews(database, config)
    say_likes(prepared, config)
    storage = output.with_suffix(".trials.sqlite")
    with runner_for(on, address, at_once) as runner:
        tuning = tune_reviews(
            prepared, config, storage, time_budget=time_budget, trials=trials, runner=runner
        )
    write_recipe(tuning.config, output, _notes(tuning, len(prepared)))
    return tuning


def tune_reviews(
    reviews: Reviews,
    config: Config,
    storage_file: Path,
    *,
    time_budget: float,
    trials: int,
    runner: Runner | None = None,
) -> Tuning:
    """Searches for the best settings for reviews in memory; saves trials in a database at `storage_file`.

    Trials run in the workers of `runner`; the default runner runs trials in the process that calls
    `tune_reviews`. Only the calling process writes to the database of trials. A worker, which may be on
    another machine, returns the result of a trial to the process that called `tune_reviews`.
    """
    runner = runner or ThisProcess()
    data = split_for_tuning(reviews, config)
    parts = [part for part in PARTS if part.applies(data, config)]
    ends = time.monotonic() + time_budget
    found: list[Tuned] = []
    shared = runner.share(data)
    with going_on("the same command goes on with the search"), _storage(storage_file) as storage:
        for number, part in enumerate(parts):
            left = max(ends - time.monotonic(), 0.0)
            seconds = left * part.share / sum(other.share for other in parts[number:])
            found.append(_search(part, data, shared, config, storage, runner, seconds, trials))
    settings = {name: value for tuned in found for name, value in tuned.settings.items()}
    return Tuning(config=Config.from_dict(merge(config.to_dict(), settings)), parts=found)


def _search(
    part: TunedPart,
    data: TuningData,
    shared: Any,
    config: Config,
    storage: BaseStorage,
    runner: Runner,
    seconds: float,
    trials: int,
) -> Tuned:
    """Searches the settings of one part of the model, for `seconds` or until `trials` trials have ended.

    The argument `shared` is a reference to `data`, which `runner.share(data)` returned. Each trial in a
    worker gets the reference `shared` instead of `data`, because `data` would be sent to the worker's machine
    again for each trial.
    """
    import optuna

    ends = time.monotonic() + seconds
    study = optuna.create_study(
        storage=storage,
        study_name=f"{part.name}-{_fingerprint(part, data, config)}",
        load_if_exists=True,
        direction="maximize",
    )
    waiting = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,))
    if not completed_trials(study) and not waiting:
        study.enqueue_trial(_start(part, config))
    with progress_of_trials(f"Tuning {part.name}", seconds) as on_trial:
        while (left := trials - len(ended_trials(study))) > 0:
            if time.monotonic() >= ends and completed_trials(study):
                break
            # The first trial runs alone, because its metric guides the choice of settings for later trials.
            number = min(runner.num_workers, left) if completed_trials(study) else 1
            run_trials(study, part, shared, config, runner, number, ends)
            on_trial(len(ended_trials(study)), study.best_value)
    ended = ended_trials(study)
    return Tuned(
        name=part.name,
        figure=part.figure,
        before=next(trial.value for trial in ended if trial.value is not None),
        after=study.best_value,
        settings={name: rounded(part, name, study.best_params[name]) for name in part.ranges},
        trials=len(ended),
        pruned=sum(trial.state == optuna.trial.TrialState.PRUNED for trial in ended),
    )


def _start(part: TunedPart, config: Config) -> dict[str, Any]:
    """Returns the settings of the first trial: the settings in `config`, limited to the searched ranges."""
    given = config.to_dict()
    start = {}
    for name, (low, high, _, _) in part.ranges.items():
        section, _, setting = name.partition(".")
        start[name] = rounded(part, name, min(max(given[section][setting], low), high))
    return start


def _fingerprint(part: TunedPart, data: TuningData, config: Config) -> str:
    """Returns a hash of the reviews, the settings and the ranges of a search.

    The hash is part of the saved search's name, so that a search continues from saved trials only if data and
    settings are equal.
    """
    digest = hashlib.sha256(json.dumps([config.to_dict(), part.ranges], sort_keys=True).encode())
    for reviews in (data.train, data.held_out):
        for array in (reviews.reviewer_rows, reviews.movie_rows, reviews.level_rows, reviews.levels):
            digest.update(array.tobytes())
    return digest.hexdigest()[:16]


@contextmanager
def _storage(path: Path) -> Iterator[BaseStorage]:
    """Opens the SQLite database of trials at a path; closes the database when the `with` statement ends.

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
