"""Connects this process to a Ray cluster, or starts Ray on this machine until this process ends.

If Ray is started on this machine, Ray keeps its files in a temporary folder, and refuses connections from
other programs.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from engine.artifact.locks import temporary_folder
from engine.errors import ConfigError, DataError

logger = logging.getLogger(__name__)

MOST_LOST = 3
"""The largest number of times that a call is repeated because the call's worker was lost; a call that loses
even more workers probably causes the losses."""
_LONGEST_FOLDER = 10
"""The largest number of characters in the path of the folder for temporary files; in a folder with a longer
path, the paths of Ray's sockets would exceed the limit of the operating system."""
_LONGEST_REASON = 300
"""The largest number of characters of an error message of Ray that a message of this program repeats."""
_SECONDS_TO_ANSWER = 10.0
"""The number of seconds within which a Ray cluster must accept a connection."""
_SET_BY_RAY = ("RAY_AUTH_MODE", "PYTHONBREAKPOINT")
"""The names of the environment variables that `ray.init` sets in the process of the caller."""
_QUIET: Mapping[str, Any] = {"log_to_driver": False, "logging_level": "error"}


@contextmanager
def ray_session(address: str | None, num_workers: int, environment: Mapping[str, str]) -> Iterator[bool]:
    """Connects to a Ray cluster, or starts Ray on this machine if `address` is None.

    When the `with` statement ends, the connection is closed, and Ray is ended if the function has started
    Ray. If the program has connected to Ray before, the program's connection is used, and stays open. Yields
    True if `ray_session` has started Ray on this machine, in which case all workers inherit the environment
    variables in `environment`. Yields False if Ray was running before, on a cluster or in this program. The
    argument `num_workers` is the number of workers if `ray_session` starts Ray on this machine.

    Raises:
        ConfigError: no cluster answers at the address; an address is given although the program has connected
            to Ray before.
        DataError: Ray cannot start on this machine.
    """
    import ray

    if ray.is_initialized():
        if address is not None:
            raise ConfigError(
                f"Cannot connect to the Ray cluster at {address}: this program is connected to Ray already; "
                "leave the address out to use that connection"
            )
        yield False
        return
    with ExitStack() as stack:
        started = stack.enter_context(_considerate())
        if address is None:
            folder = stack.enter_context(_surroundings(environment))
            stack.callback(ray.shutdown)
            _start(folder, num_workers, started)
        else:
            stack.callback(ray.shutdown)
            _connect(address)
        _handle_termination_again()
        yield address is None


def _connect(address: str) -> None:
    import ray

    host, _, port = address.rpartition("/")[2].rpartition(":")
    try:
        # The address is tried first, because Ray would wait for an answer for some minutes.
        if port.isdecimal():
            socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_TO_ANSWER).close()
        ray.init(address=address, **_QUIET)
    except (OSError, OverflowError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise ConfigError(
            f"No Ray cluster can be used at {address}: {_reason(error)}; name a cluster with --address, or "
            "leave --address out to start Ray on this machine"
        ) from error
    if ray.available_resources().get("CPU", 0) < 1:
        logger.warning("All processors of the Ray cluster are in use; the work begins when one is free")


def _start(folder: Path, num_workers: int, started: list[subprocess.Popen[bytes]]) -> None:
    """Starts Ray in processes of this machine; if the first start fails, tries a second time.

    Ray gives up a start that takes longer than 30 seconds, which happens on a busy machine. The second try is
    faster than the first try, because Ray's programs are in memory already. After an error or interrupt, the
    processes listed in `started` are killed.
    """
    import ray

    for last in (False, True):
        try:
            ray.init(
                address="local",
                num_cpus=num_workers,
                include_dashboard=False,
                _temp_dir=str(folder),
                _system_config={"task_oom_retries": MOST_LOST},
                **_QUIET,
            )
            return
        except BaseException as error:
            for process in started:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            started.clear()
            # A start that takes too long raises an error of the class Exception itself, and not of a
            # subclass.
            if not isinstance(error, Exception):
                raise
            if last:
                raise DataError(
                    f"Ray cannot start on this machine: {_reason(error)}; try again on a less busy machine, "
                    f"make room in memory and in {folder.parent.parent}, or leave --on ray out"
                ) from error
            logger.warning("Ray did not start (%s); trying once more", _reason(error))
            ray.shutdown()


def _reason(error: BaseException) -> str:
    """Returns the beginning of an error message of Ray, on one line."""
    return " ".join(str(error).split())[:_LONGEST_REASON].rstrip(".")


@contextmanager
def _surroundings(environment: Mapping[str, str]) -> Iterator[Path]:
    """Sets the environment variables of Ray's processes; yields a folder for Ray, and removes it at the end.

    Ray lets all users read Ray's folder; therefore, the yielded folder is inside a folder that no other user
    may enter.
    """
    usual = Path(tempfile.gettempdir())
    place = usual if len(str(usual)) <= _LONGEST_FOLDER else Path("/tmp")
    settings = {
        **environment,
        # Ray listens on the network, and refuses connections without this token.
        "RAY_AUTH_TOKEN": _token(),
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    before = {name: os.environ.get(name) for name in (*settings, *_SET_BY_RAY)}
    with temporary_folder(place) as folder:
        os.environ.update(settings)
        try:
            yield folder / "r"
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


@cache
def _token() -> str:
    """Returns the secret token for connections to Ray; the token never changes, because Ray reads it once."""
    return secrets.token_hex(32)


@contextmanager
def _considerate() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Keeps Ray from using signals and stdout of this program; yields the list of processes that Ray starts.

    During the `with` statement, three functions of Ray are replaced, because Ray has no settings for signals
    and stdout. Ray's function `set_sigterm_handler` would replace this program's handler of SIGTERM, which
    lets commands clean up. When a worker is lost, Ray's function `print_to_stdstream` would print on stdout,
    where only answers may be printed. Ray's function `ConsolePopen` would start Ray's processes in the
    program's process group. A signal to the program's process group, such as from Ctrl+C, would then end
    Ray's processes before the program cleans up. Therefore, `_considerate` replaces `ConsolePopen` by a
    function that starts each process of Ray in a process group of its own.
    """
    from ray._private import services, utils, worker

    started: list[subprocess.Popen[bytes]] = []
    popen = services.ConsolePopen

    def start(*arguments: Any, **settings: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, process_group=0, **settings))
        return started[-1]

    def log(data: Mapping[str, Any], **_: Any) -> None:
        logger.debug("Ray says: %s", " ".join(map(str, data["lines"])))

    replaced: tuple[tuple[Any, str, Any], ...] = (
        (services, "ConsolePopen", start),
        (utils, "set_sigterm_handler", lambda handler: None),
        (worker, "print_to_stdstream", log),
    )
    with ExitStack() as stack:
        for module, name, function in replaced:
            stack.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, function)
        yield started


def _handle_termination_again() -> None:
    """Makes Python handle the signal SIGTERM again; Ray's C++ code would print a stack trace at SIGTERM."""
    handler = signal.getsignal(signal.SIGTERM)
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)
