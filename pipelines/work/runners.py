"""Runs independent calls of functions, such as trainings, either in this process or on Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from engine.config.values import at_least, one_of
from engine.errors import ConfigError
from pipelines.work.checkpoints import Checkpoints

PLACES = ("ray",)
"""The values of the option --on: the systems outside this process that can run calls."""


class Runner(Protocol):
    """Runs calls of functions that do not depend on each other; every runner returns the same results.

    A function must be defined at the top level of a module. A function must not change its arguments.
    """

    num_workers: int
    """The number of calls that run at the same time."""

    def share(self, value: Any) -> Any:
        """Returns an argument for many calls, which stands for `value` and is sent to each machine once."""

    def run(
        self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any]]:
        """Calls a function with each tuple of arguments in `calls`; yields the position and result of a call.

        Results are yielded as soon as they are there, in any order. Tuples are taken from `calls` when a
        worker is free, so that not all of them have to be in memory.

        Raises:
            EngineError: a call raised the error, or a worker was lost too often.
        """

    def begin(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """Begins a call of a function; returns a function that waits for the call, and returns its result.

        In this process, the call is made when its result is asked for. The returned function raises the same
        errors as `run`, and is called once.
        """

    def employ(self, make: Callable[..., Any], *arguments: Any) -> Callable[..., Callable[[], Any]]:
        """Makes an object that stays where it is; returns a function that begins calls of its methods.

        The function takes the name of a method and the arguments of a call, and returns a function as `begin`
        does. Calls are made in the order in which they were begun.
        """

    def keep(self, checkpoints: Checkpoints) -> Checkpoints:
        """Returns the checkpoints that a call may save; none if workers may be on other machines."""


class ThisProcess:
    """Runs calls in this process, one after another.

    Args:
        num_workers: the number of workers to report, for callers that plan this number of calls at a time.
    """

    def __init__(self, num_workers: int = 1) -> None:
        self.num_workers = num_workers

    def share(self, value: Any) -> Any:
        """Returns the value itself."""
        return value

    def run(
        self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any]]:
        """Calls the function with each tuple of arguments; yields positions and results, in order."""
        return ((position, function(*call)) for position, call in enumerate(calls))

    def begin(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """Returns a function that calls the function."""
        return partial(function, *arguments)

    def employ(self, make: Callable[..., Any], *arguments: Any) -> Callable[..., Callable[[], Any]]:
        """Makes the object in this process."""
        made = make(*arguments)
        return lambda name, *given: partial(getattr(made, name), *given)

    def keep(self, checkpoints: Checkpoints) -> Checkpoints:
        """Returns the checkpoints themselves."""
        return checkpoints


HERE = ThisProcess()
"""Runs calls in this process, where nobody asks for another place."""


def check_place(on: str | None, address: str | None, processes: int) -> None:
    """Checks the options that say where calls run.

    Raises:
        ConfigError: `on` is unknown, `processes` is negative, an address is given without `on`, or Ray is
            not installed.
    """
    at_least(0).check("processes", processes)
    if on is None:
        if address is not None:
            raise ConfigError(
                f"A cluster at {address} is named but nothing runs there; give --on ray as well"
            )
        return
    one_of(*PLACES).check("on", on)
    from pipelines.work.extras import require_ray

    require_ray()


@contextmanager
def runner_for(
    on: str | None, address: str | None = None, processes: int = 0, *, threads: int | None = None
) -> Iterator[Runner]:
    """Opens the runner that the options name, and closes the runner at the end.

    Args:
        on: "ray", or None for this process.
        address: the address of a Ray cluster, or "auto" for the cluster that this machine belongs to; None to
            start Ray in processes of this machine.
        processes: the number of workers; 0 for one on each core. This process runs one call at a time, and
            reports the number as its number of workers.
        threads: the number of threads of NumPy and FAISS in a worker of Ray; None for as many as here.

    Raises:
        ConfigError: as in `check_place`, or no cluster answers at the address.
    """
    check_place(on, address, processes)
    if on is None:
        yield ThisProcess(processes or 1)
        return
    from pipelines.work.cluster import ray_workers

    with ray_workers(address, processes, threads) as workers:
        yield workers
