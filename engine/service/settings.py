"""Holds the settings of the service, which `engine serve` passes to the worker processes as JSON text."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.errors import ConfigError

VARIABLE = "ENGINE_SERVICE"
"""The environment variable in which the worker processes find the settings of the service."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""The hosts that only programs on this machine can reach."""
DEFAULT_NAME = "default"
"""The name of the index that answers requests in which no index is named."""
SHARED_METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that names the folder where all worker processes write their metrics."""
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""The environment variables that limit the threads of numeric libraries; the libraries read the variables
only when they are imported."""


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """Holds the settings of a service; each attribute holds the value of an option of `engine serve`."""

    indexes: Mapping[str, str]
    """The directories of the indexes, with names as keys; a request without a name asks the index named
    `DEFAULT_NAME`."""
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    """The number of processes that answer requests; each process answers one question at a time."""
    token_file: str | None = None
    """The path of a file with one access token per line; None if anybody may send requests."""
    rate: float | None = None
    """The largest number of requests per second with one token, or from one address if no tokens are needed;
    None for no limit."""
    origins: tuple[str, ...] = ()
    """The origins, such as https://shop.example, whose web pages may send requests from a browser."""
    access_log: bool = True
    exposures: str | None = None
    """The folder in which shown lists are recorded; None if shown lists are not recorded."""
    trial: tuple[str, str, float] | None = None
    """The trial index of an A/B test: its name, its directory and the share of reviewers who get its answers;
    None without an A/B test."""
    max_waiting: int = 64
    """The largest number of questions that may be waiting or running in one process; further questions are
    refused with the HTTP status 503."""
    timeout: float = 10.0
    """A client who has waited for an answer for this many seconds gets the HTTP status 504."""
    refresh: float = 1.0
    """The number of seconds between two checks for a new live build of each index."""

    def __post_init__(self) -> None:
        if not self.indexes:
            raise ConfigError("No index was given; name its directory with --index DIR.")
        if self.workers < 1:
            raise ConfigError(f"--workers must be at least 1 but is {self.workers}.")
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"--port must be between 0 and 65535 but is {self.port}.")
        if self.rate is not None and not self.rate > 0:
            raise ConfigError(f"--rate must be more than 0 requests a second but is {self.rate:g}.")

    def to_json(self) -> str:
        """Returns the settings as JSON text, for an environment variable of the worker processes."""
        return json.dumps(asdict(self))

    @classmethod
    def from_environment(cls) -> ServiceSettings:
        """Reads the settings from the environment variable `VARIABLE`, which `engine serve` sets."""
        values = json.loads(os.environ[VARIABLE])
        values["origins"] = tuple(values["origins"])
        values["trial"] = None if values["trial"] is None else tuple(values["trial"])
        return cls(**values)


def named_indexes(given: tuple[str, ...]) -> dict[str, str]:
    """Reads the names and directories of indexes from texts such as `movie-index` or `books=book-index`.

    Each text in `given` is a value of the option --index. The text `books=book-index` gives the name "books"
    to the index in the directory `book-index`. A text without a name, such as `movie-index`, is the directory
    of the default index, which answers requests that name no index. If every text in `given` has the form
    NAME=DIRECTORY, the first index is also the default index.

    Raises:
        ConfigError: two texts in `given` have the same name, or two texts are directories without a name.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, directory = text.partition("=")
        if not equals or not name or "/" in name:
            name, directory = DEFAULT_NAME, text
        if name in found:
            raise ConfigError(
                f"Two indexes are named {name!r} ({found[name]} and {directory}); "
                "give each a name of its own, as in --index films=DIR --index books=DIR."
            )
        found[name] = str(Path(directory).absolute())
    if found and DEFAULT_NAME not in found:
        found = {DEFAULT_NAME: next(iter(found.values())), **found}
    return found
