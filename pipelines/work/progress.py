"""Shows progress bars on stderr if stderr is a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

_step: ContextVar[str] = ContextVar("step", default="")
"""The text, such as "Step 2 of 5", with which the descriptions of all progress bars begin."""
_hidden: ContextVar[bool] = ContextVar("hidden", default=False)
"""Whether trainings hide their progress bars. The value is True while a search for settings shows its own
progress bar. If several trainings run at the same time in threads, the value is True in all threads but
one."""


def set_step(step: str) -> None:
    """Sets the text, such as "Step 2 of 5", with which the descriptions of later progress bars begin."""
    _step.set(step)


def hide_training() -> None:
    """Hides the progress bars of all trainings that start later in the current `contextvars` context.

    A thread that runs in a context of its own hides only the progress bars of trainings in the thread.
    """
    _hidden.set(True)


def duration(seconds: float) -> str:
    """Formats a number of seconds as text in hours, minutes and seconds.

    Example:
        >>> duration(42.4), duration(61), duration(7200)
        ('42 s', '1 min 01 s', '2 h 00 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _progress(*columns: ProgressColumn, hidden: bool = False) -> Progress:
    """Makes a progress bar on stderr that shows a description, a bar and the given columns."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True)
    step = _step.get()
    description = TextColumn(f"{step}: {{task.description}}" if step else "{task.description}")
    disable = hidden or not console.is_terminal
    return Progress(description, BarColumn(), *columns, console=console, transient=True, disable=disable)


@contextmanager
def progress_of_files(description: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """Shows a progress bar for reading files of `total` bytes, with the bytes and lines read so far.

    Yields a function to call while files are read, with the numbers of bytes and lines that were read since
    the previous call.
    """
    from rich.progress import DownloadColumn, TextColumn, TimeRemainingColumn

    lines = TextColumn("{task.fields[lines]:,} lines")
    with _progress(DownloadColumn(), lines, TimeRemainingColumn()) as progress:
        task = progress.add_task(description, total=total, lines=0)
        read = 0

        def on_read(num_bytes: int, num_lines: int) -> None:
            nonlocal read
            read += num_lines
            progress.update(task, advance=num_bytes, lines=read)

        yield on_read


@contextmanager
def progress_of_rounds(description: str, total: int, batch_size: int) -> Iterator[Callable[[float], None]]:
    """Shows a progress bar of a training: training steps out of `total`, the loss, and examples per second.

    Yields a function to call after each training step with the loss of the training step.
    """
    from rich.progress import TextColumn, TimeElapsedColumn

    loss_column = TextColumn("{task.fields[loss]}")
    rate_column = TextColumn("{task.fields[rate]:,.0f}/s")
    with _progress(loss_column, rate_column, TimeElapsedColumn(), hidden=_hidden.get()) as progress:
        if progress.disable:
            yield lambda loss: None
            return
        task = progress.add_task(description, total=total, loss="", rate=0.0)

        def on_step(loss: float) -> None:
            rate = (progress.tasks[task].speed or 0.0) * batch_size
            progress.update(task, advance=1, loss=f"loss {loss:.4f}", rate=rate)

        yield on_step


@contextmanager
def progress_of_lists(description: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Shows a progress bar with the number of reviewers whose recommendation lists are made, out of `total`.

    The progress bar starts at `done` reviewers, and also shows the number of reviewers per second and the
    time left. Yields a function to call with the number of reviewers whose lists were just made; several
    threads may call the function.
    """
    from rich.progress import MofNCompleteColumn, TextColumn, TimeRemainingColumn

    rate_column = TextColumn("{task.fields[rate]:,.0f}/s")
    with _progress(MofNCompleteColumn(), rate_column, TimeRemainingColumn()) as progress:
        task = progress.add_task(description, total=total, completed=done, rate=0.0)

        def on_lists(number: int) -> None:
            progress.update(task, advance=number, rate=progress.tasks[task].speed or 0.0)

        yield on_lists


@contextmanager
def progress_of_trials(description: str, seconds: float) -> Iterator[Callable[[int, float], None]]:
    """Shows the time that a search for settings has used, the number of trials and the best score.

    Yields a function to call after each trial, with the number of trials and the best score so far.
    """
    from rich.progress import TextColumn, TimeElapsedColumn

    figures = TextColumn("{task.fields[trials]} trials{task.fields[best]}")
    started = time.monotonic()
    hidden = _hidden.set(True)
    try:
        with _progress(figures, TimeElapsedColumn()) as progress:
            task = progress.add_task(description, total=seconds, trials=0, best="")

            def on_trial(trials: int, best: float) -> None:
                used = min(time.monotonic() - started, seconds)
                progress.update(task, completed=used, trials=trials, best=f", best {best:.4f}")

            yield on_trial
    finally:
        _hidden.reset(hidden)
