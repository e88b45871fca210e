"""Runs calls of functions in worker processes of Ray, which may be on other machines.

Ray is imported inside of functions, so that Ray is loaded only after a user asks for Ray. If the worker
process of a call is killed, Ray runs the call again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import DataError, EngineError
from pipelines.work.checkpoints import NOTHING_KEPT, Checkpoints
from pipelines.work.sessions import MOST_LOST, ray_session

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
"""The names of the environment variables that limit the number of threads of NumPy, FAISS and TensorFlow."""


class RayWorkers:
    """Runs calls of functions in worker processes of Ray.

    Args:
        num_workers: the largest number of calls that run at the same time.
        environment: the environment variables that are set in the workers.
        on_this_machine: whether all workers are on this machine, so that workers can read this process's
            files.
        is_guest: whether the program had connected to Ray before, in which case the program's connection
            stays open when `RayWorkers` is closed.
    """

    def __init__(
        self,
        num_workers: int,
        environment: Mapping[str, str],
        *,
        on_this_machine: bool = False,
        is_guest: bool = False,
    ) -> None:
        self.num_workers = num_workers
        self._environment = dict(environment)
        self._on_this_machine = on_this_machine
        self._is_guest = is_guest
        self._begun: set[Any] = set()

    def share(self, value: Any) -> Any:
        """Sends a value to Ray's memory once; returns a reference that calls take in place of the value."""
        import ray

        return ray.put(value)

    def run(
        self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any]]:
        """Calls the function in workers; yields each call's position and result as soon as the call ends.

        Raises:
            EngineError: a call raised an EngineError; the workers of a call were lost again and again.
        """
        import ray

        task = self._task(function)
        waiting = iter(enumerate(calls))
        running: dict[Any, int] = {}

        def start(number: int) -> None:
            # The range comes first in zip, because zip would otherwise take one call too many from `waiting`.
            for _, (position, call) in zip(range(number), waiting, strict=False):
                running[task.remote(function, *call)] = position

        try:
            start(self.num_workers)
            while running:
                [ended], _ = ray.wait(list(running), num_returns=1)
                position = running.pop(ended)
                start(1)
                yield position, _result_of(ended, function.__name__)
        finally:
            self._end(running)

    def begin(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """Begins a call once a processor is free; returns a function that waits for the call's result.

        The function that `begin` returns raises the same errors as `run`.
        """
        reference = self._task(function).remote(function, *arguments)
        self._begun.add(reference)

        def wait() -> Any:
            try:
                return _result_of(reference, function.__name__)
            finally:
                self._begun.discard(reference)

        return wait

    def wait_for(self, begun: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
        """Waits for several begun calls; returns each call's result under the call's name."""
        return {name: wait() for name, wait in begun.items()}

    def employ(self, make: Callable[..., Any], *arguments: Any) -> Callable[..., Callable[[], Any]]:
        """Makes an object in a new worker; returns a function that begins calls of the object's methods.

        Ray reserves no processor for the new worker, so that the worker starts even while calls use all
        processors. Otherwise, calls that use all processors and wait for results from the worker would wait
        forever.
        """
        import ray

        environment = {"env_vars": self._environment} if self._environment else None
        worker = ray.remote(_Employee).options(num_cpus=0, runtime_env=environment)
        employee = worker.remote(make, *arguments)

        def begin(name: str, *given: Any) -> Callable[[], Any]:
            return partial(_result_of, employee.call.remote(name, *given), f"{make.__name__}.{name}")

        return begin

    def __reduce__(self) -> tuple[Any, ...]:
        """Lets a call take `RayWorkers` as an argument, so that the call can begin further calls."""
        make = partial(RayWorkers, on_this_machine=self._on_this_machine)
        return make, (self.num_workers, self._environment)

    def keep(self, checkpoints: Checkpoints) -> Checkpoints:
        """Returns `checkpoints` if all workers are on this machine, or else checkpoints that save nothing."""
        return checkpoints if self._on_this_machine else NOTHING_KEPT

    def close(self) -> None:
        """Ends the begun calls whose results were not fetched, which happens after an interrupt."""
        self._end(self._begun)

    def _end(self, unfinished: Iterable[Any]) -> None:
        """Cancels the calls whose results nobody waits for, if the connection to Ray stays open.

        If the connection to Ray is closed, all calls end with the connection. While a connection is being
        closed, no call is cancelled, because Ray may abort this process if a cancelled call ends at the same
        moment.
        """
        import ray

        if self._is_guest:
            for reference in unfinished:
                ray.cancel(reference, force=True)

    def _task(self, function: Callable[..., Any]) -> Any:
        """Makes a task of Ray that calls a function.

        Ray reserves one processor for each call of the function, from the call's beginning to the call's end.
        While no call of the function runs, Ray reserves no processor for the function. If a processor stayed
        reserved after the end of a call, calls on a machine with few processors could wait for each other
        forever.
        """
        import ray

        return ray.remote(_call).options(
            num_cpus=1,
            max_retries=MOST_LOST,
            name=function.__name__,
            runtime_env={"env_vars": self._environment} if self._environment else None,
        )


class _Employee:
    """Holds an object in a worker, and calls the object's methods."""

    def __init__(self, make: Callable[..., Any], *arguments: Any) -> None:
        self._made = make(*arguments)

    def call(self, name: str, *arguments: Any) -> Any:
        """Calls a method of the held object; returns the result, or the EngineError that was raised."""
        return _call(getattr(self._made, name), *arguments)


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a worker, and returns the result, or the EngineError that the function raised."""
    try:
        return function(*arguments)
    except EngineError as error:
        return error


def _result_of(ended: Any, name: str) -> Any:
    """Returns the result of a call that has ended.

    Raises:
        EngineError: the call raised an EngineError; the workers of the call were lost again and again.
    """
    import ray

    try:
        result = ray.get(ended)
    except ray.exceptions.RayTaskError:
        raise
    except ray.exceptions.RayError as error:
        raise DataError(
            f"Ray lost {MOST_LOST + 1} workers in the same part of the work ({name}); what is complete is "
            "kept, so give the same command again to go on, with fewer --processes if memory ran out"
        ) from error
    if isinstance(result, EngineError):
        raise result
    return result


@contextmanager
def ray_workers(address: str | None, processes: int, threads: int | None) -> Iterator[RayWorkers]:
    """Opens workers on a Ray cluster, or on this machine if `address` is None.

    The docstring of `runner_for` explains the arguments.

    Raises:
        ConfigError: no cluster answers at the address.
        DataError: Ray cannot start on this machine.
    """
    import ray

    cores = os.cpu_count() or 1
    environment = {name: str(threads or os.environ.get(name) or cores) for name in THREADS}
    is_guest = ray.is_initialized()
    with ray_session(address, processes or cores, environment) as inherited:
        num_workers = processes or max(1, int(ray.cluster_resources().get("CPU", 1)))
        workers = RayWorkers(
            num_workers, {} if inherited else environment, on_this_machine=inherited, is_guest=is_guest
        )
        try:
            yield workers
        finally:
            workers.close()


def scratch_folder() -> Path:
    """Returns Ray's folder for temporary files on the machine of the worker that calls the function."""
    import ray

    return Path(ray.get_runtime_context().get_temp_dir())
