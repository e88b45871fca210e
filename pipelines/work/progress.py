"""Bars for work that is counted: shown on stderr where that is a terminal, and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_tuning: ContextVar[bool] = ContextVar("tuning", default=False)
"""Whether a bar of trials is shown, which those of their training loops would write over."""


@contextmanager
def progress_of_files(description: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """Shows how much of some files has been read, in bytes and in lines.

    Args:
        description: what is being done, such as "Reading reviews".
        total: bytes of all files.

    Yields:
        A function to be told how many more bytes have been read, and how many lines they gave.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[lines]:,} lines"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=total, lines=0)
        read = 0

        def on_read(num_bytes: int, num_lines: int) -> None:
            nonlocal read
            read += num_lines
            progress.update(task, advance=num_bytes, lines=read)

        yield on_read


@contextmanager
def progress_of_rounds(description: str, total: int, batch_size: int) -> Iterator[Callable[[float], None]]:
    """Shows how far a training loop is, its loss and how many examples it sees a second.

    Args:
        description: what is being trained.
        total: steps at most.
        batch_size: examples in a step.

    Yields:
        A function to be told the loss of each step.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeElapsedColumn(),
    )
    hidden = _tuning.get() or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task(description, total=total, loss=float("nan"), rate=0.0)

        def on_step(loss: float) -> None:
            rate = (progress.tasks[task].speed or 0.0) * batch_size
            progress.update(task, advance=1, loss=loss, rate=rate)

        yield on_step


@contextmanager
def progress_of_lists(description: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Shows how many reviewers have their lists, how many get theirs a second, and the time left.

    Args:
        description: what is being done.
        total: reviewers.
        done: those whose lists were there before.

    Yields:
        A function to be told how many more are done; threads may call it.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=total, completed=done, rate=0.0)

        def on_lists(number: int) -> None:
            progress.update(task, advance=number, rate=progress.tasks[task].speed or 0.0)

        yield on_lists


@contextmanager
def progress_of_trials(description: str, seconds: float) -> Iterator[Callable[[int, float], None]]:
    """Shows how much of its time a search has used, its trials and its best figure.

    Args:
        description: what is being tuned.
        seconds: how long that may take.

    Yields:
        A function to be told the number of trials and the best figure.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[trials]} trials, best {task.fields[best]:.4f}"),
        TimeElapsedColumn(),
    )
    started = time.monotonic()
    shown = _tuning.set(True)
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task(description, total=seconds, trials=0, best=float("nan"))

            def on_trial(trials: int, best: float) -> None:
                used = min(time.monotonic() - started, seconds)
                progress.update(task, completed=used, trials=trials, best=best)

            yield on_trial
    finally:
        _tuning.reset(shown)
