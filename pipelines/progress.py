"""A bar for work that is counted: shown on stderr where that is a terminal, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_of_bytes(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows how much of some files has been read.

    Args:
        description: what is being done, such as "Reading reviews".
        total: bytes of all files.

    Yields:
        A function to be told how many more bytes have been read.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=total)
        yield lambda num_bytes: progress.update(task, advance=num_bytes)
