"""Trains heads or the linear model of neighbours with settings to try, and stops trials with poor metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.config.sections import Config
from engine.config.values import merge
from engine.errors import TrainingError
from pipelines.tuning.parts import OnFigure, TunedPart, TuningData
from pipelines.work.runners import Runner
from pipelines.work.tensorflow_start import start_tensorflow

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

logger = logging.getLogger(__name__)

_FULL_TRIALS = 3
"""Until this many trials of a search are completed, no trial is stopped for a poor metric, because there is
too little to compare with."""
_FIRST_ROUNDS = 2
"""During this many training rounds at the start of a trial, the trial is not stopped for a poor metric,
because the first metrics say little."""


class Tried(NamedTuple):
    """Holds the outcome of a trial."""

    figures: Sequence[float]
    """The validation metric after each training round of the trial."""
    final: float | None
    """The validation metric at the end of the training; None if the trial was pruned (stopped early)."""


def run_trials(
    study: optuna.Study,
    part: TunedPart,
    shared: Any,
    config: Config,
    runner: Runner,
    number: int,
    ends: float,
) -> None:
    """Chooses settings for `number` trials, runs the trials, and saves the outcomes in order.

    Settings and outcomes depend on `number`, but not on the machines on which trials run.
    """
    import optuna
    from optuna.trial import TrialState

    ended, completed = len(ended_trials(study)), completed_trials(study)
    trials, calls = [], []
    for place in range(number):
        # Each trial has a seed of its own, so that a search finds the same settings if the search was
        # interrupted and continued.
        study.sampler = optuna.samplers.TPESampler(seed=config.seed + ended + place)
        trials.append(study.ask())
        settings = {name: _suggest(trials[-1], part, name) for name in part.ranges}
        tried = Config.from_dict(merge(config.to_dict(), settings))
        calls.append((shared, part.measure, tried, completed, max(ends - time.monotonic(), 0.0)))
    try:
        outcomes = dict(runner.run(try_settings, calls))
    except BaseException:
        for trial in trials:
            study.tell(trial, state=TrialState.FAIL)
        raise
    for place, trial in enumerate(trials):
        outcome = outcomes[place]
        for step, figure in enumerate(outcome.figures):
            trial.report(figure, step)
        if outcome.final is None:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, outcome.final)
            logger.info("%s trial %d: %s %.4f", part.name, trial.number, part.figure, outcome.final)


def try_settings(
    data: TuningData,
    measure: Callable[[TuningData, Config, OnFigure], float],
    config: Config,
    completed: Sequence[FrozenTrial],
    seconds: float,
) -> Tried:
    """Trains a head or the linear model of neighbours with given settings; stops early if the metric is poor.

    A trial is compared with completed trials, and never with trials that run at the same time, so that the
    outcome does not depend on where and when trials run. The first trial always runs to the end.

    Args:
        data: the training reviews and the held-out reviews.
        measure: the function that trains a head or the linear model of neighbours, and returns the validation
            metric.
        config: the settings to try.
        completed: the completed trials of the search; empty for the first trial.
        seconds: the number of seconds after which a trial other than the first is stopped.

    Raises:
        TrainingError: the training of the first trial failed. If the training of any trial after the first
            fails, no error is raised, and the failed trial counts as pruned (stopped early).
    """
    import optuna

    start_tensorflow()
    ends = time.monotonic() + seconds
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=_FULL_TRIALS, n_warmup_steps=_FIRST_ROUNDS)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    study.add_trials(completed)
    trial = study.ask()
    figures: list[float] = []

    def on_figure(figure: float) -> None:
        trial.report(figure, len(figures))
        figures.append(figure)
        if completed and (time.monotonic() >= ends or trial.should_prune()):
            raise optuna.TrialPruned

    try:
        return Tried(figures, measure(data, config, on_figure))
    except optuna.TrialPruned:
        return Tried(figures, None)
    except TrainingError:
        if not completed:
            raise
        return Tried(figures, None)


def ended_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Returns the trials that ran to the end or were pruned (stopped early), oldest first."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def completed_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Returns the trials that ran to the end, oldest first."""
    return [trial for trial in ended_trials(study) if trial.state.name == "COMPLETE"]


def _suggest(trial: optuna.Trial, part: TunedPart, name: str) -> float | int:
    low, high, log, whole = part.ranges[name]
    if whole:
        return trial.suggest_int(name, int(low), int(high), log=log)
    return rounded(part, name, trial.suggest_float(name, low, high, log=log))


def rounded(part: TunedPart, name: str, value: float) -> float | int:
    """Rounds a setting to three significant digits, or turns a setting that must be whole into an int.

    The search tries the rounded value, so that the file of the found settings holds exactly the tried value.
    """
    return int(value) if part.ranges[name].whole else float(f"{value:.3g}")
