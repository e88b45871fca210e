"""Runs independent calls of functions, such as trainings, either in this process or on Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from engine.config.values import at_least, one_of
from engine.errors import ConfigError
from pipelines.work.checkpoints import Checkpoints
from pipelines.work.parallel import at_once

PLACES = ("ray",)
"""The values of the option --on, each of which names a system that runs calls outside this process."""


class Runner(Protocol):
    """Runs independent calls of functions; the results are the same with every class that has this interface.

    A called function must be defined at the top level of a module, and must not change its arguments.
    """

    num_workers: int
    """The number of calls that a caller should prepare at a time; on Ray, the number of calls that run at the
    same time."""

    def share(self, value: Any) -> Any:
        """Returns a reference to `value` that many calls can take as an argument.

        The value is sent to each machine once, instead of with each call.
        """

    def run(
        self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any]]:
        """Calls a function with each tuple of arguments in `calls`; yields each call's position and result.

        A result is yielded as soon as its call has ended, so that results may come in any order. A tuple is
        taken from `calls` only when a worker is free, so that few tuples are in memory at the same time.

        Raises:
            EngineError: a call raised an EngineError; a worker was lost too often.
        """

    def begin(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """Begins a call of `function`; returns another function, which waits for the result of the call.

        The function that `begin` returns must be called exactly once. The function that `begin` returns gives
        the result of `function(*arguments)`, or raises the same errors as `run`. The runner `ThisProcess`
        calls `function` only when the function that `begin` returned is called.
        """

    def wait_for(self, begun: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
        """Waits for several calls that `begin` began; returns each call's result under the call's name.

        The runner `ThisProcess` makes the calls at the same time, in threads.

        Raises:
            EngineError: a call raised an EngineError; a worker was lost too often.
        """

    def employ(self, make: Callable[..., Any], *arguments: Any) -> Callable[..., Callable[[], Any]]:
        """Makes an object in one worker; returns a function that begins calls of the object's methods.

        The result of `make(*arguments)`, called in the worker, is the object. For example, let `call` be the
        function that `employ` returns: `call("add", 3)` begins to call `add(3)`, a method of the object that
        `make` returned. The value of `call("add", 3)` is a function without arguments, which waits for the
        result of `add` and returns the result. The worker that holds the object runs method calls in the
        order in which the method calls were begun.
        """

    def keep(self, checkpoints: Checkpoints) -> Checkpoints:
        """Returns `checkpoints`, or `NOTHING_KEPT` if workers may be on other machines.

        A caller passes the returned checkpoints to calls as an argument; the calls save their state in the
        checkpoints.
        """


class ThisProcess:
    """Runs calls in this process: `run` makes one call after another, `wait_for` makes calls in threads.

    Args:
        num_workers: the number of calls that a caller should prepare before passing the calls to `run`, which
            makes the calls one after another.
    """

    def __init__(self, num_workers: int = 1) -> None:
        self.num_workers = num_workers

    def share(self, value: Any) -> Any:
        """Returns `value` itself, because calls in this process can use `value` without a reference."""
        return value

    def run(
        self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any]]:
        """Calls a function with each tuple of arguments in `calls`; yields positions and results in order."""
        return ((position, function(*call)) for position, call in enumerate(calls))

    def begin(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """Returns a function that calls `function` with the arguments and returns the result."""
        return partial(function, *arguments)

    def wait_for(self, begun: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
        """Makes several begun calls at the same time, in threads; returns the results by name."""
        return at_once(begun)

    def employ(self, make: Callable[..., Any], *arguments: Any) -> Callable[..., Callable[[], Any]]:
        """Makes an object by `make(*arguments)`; returns a function for calls of the object's methods.

        For example, let `call` be the function that `employ` returns. The value of `call("add", 3)` is a
        function without arguments, which calls `add(3)`, a method of the object, and returns the result.
        """
        made = make(*arguments)
        return lambda name, *given: partial(getattr(made, name), *given)

    def keep(self, checkpoints: Checkpoints) -> Checkpoints:
        """Returns `checkpoints` unchanged: calls in this process can write to the folder of `checkpoints`."""
        return checkpoints


HERE = ThisProcess()
"""The runner that runs calls in this process; used unless the caller asks for another runner."""


def check_place(on: str | None, address: str | None, processes: int) -> None:
    """Checks the options that say where calls run.

    Raises:
        ConfigError: `on` is unknown; `processes` is negative; an address is given without `on`; Ray is not
            installed.
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
    """Opens the runner that the arguments describe; closes the runner when the `with` statement ends.

    Args:
        on: "ray", or None for this process.
        address: the address of a Ray cluster, or "auto" for the cluster that this machine belongs to; None to
            start Ray in processes of this machine.
        processes: with Ray, the number of worker processes; 0 for one worker on each core. Without Ray, no
            process is started; a caller should prepare `processes` calls before passing the calls to `run`.
        threads: the number of threads of NumPy and FAISS in a worker of Ray; None for the number of threads
            in this process.

    Raises:
        ConfigError: `check_place` refuses the options; no cluster answers at the address.
    """
    check_place(on, address, processes)
    if on is None:
        yield ThisProcess(processes or 1)
        return
    from pipelines.work.cluster import ray_workers

    with ray_workers(address, processes, threads) as workers:
        yield workers
