"""Decides whether an interrupted build can be resumed.

A build can be resumed if files, settings and version of Movie Engine are those of the interrupted build.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.artifact.builds import live_build
from engine.config.sections import Config
from engine.config.values import flat_settings, to_mapping
from engine.errors import ConfigError, EngineError, SourceError
from pipelines.inputs.spool import Given, Input, is_read_once
from pipelines.work.checkpoints import Checkpoints

logger = logging.getLogger(__name__)

_IDENTITY = "build.json"
"""The name of the file in a build's work directory that records the build's files, settings and version."""
_LIVE = "live"
"""The name of the entry in build.json that records which build was live when the interrupted build began."""
_MAY_DIFFER = ("ingest.memory_limit",)
"""The settings that may differ when a build is resumed, because the resulting index does not depend on these
settings."""
_HOW_TO_GO_ON = "the same command with --resume goes on from the last checkpoint"


@contextmanager
def resumable_work(
    directory: Path, reviews: Sequence[Input], metadata: Sequence[Input], config: Config, *, resume: bool
) -> Iterator[Checkpoints]:
    """Creates or reopens the work directory of a build, and yields the checkpoints in the directory.

    The caller must hold the lock on the index directory. The work directory is kept if the process is killed
    or an unexpected error is raised. After a KeyboardInterrupt or a disk error, a work directory with a
    checkpoint is kept; a note on the error says how to resume the build. After an EngineError that is not
    about the disk, the work directory is removed, because the resumed build would fail again.

    Raises:
        ConfigError: the work directory belongs to a build with other files, other settings or another
            version.
    """
    identity = {
        "version": version("movie-engine"),
        "reviews": [_signature(path) for path in reviews],
        "metadata": [_signature(path) for path in metadata],
        "settings": {
            name: value
            for name, value in flat_settings(to_mapping(config)).items()
            if name not in _MAY_DIFFER
        },
    }
    live = live_build(directory.parent)
    before = _read(directory / _IDENTITY) if resume else None
    if before is not None:
        _require_same(before, json.loads(json.dumps(identity)), directory)
        logger.info("Going on with the build that was interrupted")
        if before.get(_LIVE) != live:
            logger.warning(
                "The index has changed since the interrupted build began; the new index holds the given "
                "files alone"
            )
    else:
        if resume:
            logger.info("No interrupted build to go on with: starting anew")
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        unfinished = directory / f"{_IDENTITY}.new"
        unfinished.write_text(json.dumps({**identity, _LIVE: live}), encoding="utf-8")
        unfinished.rename(directory / _IDENTITY)
    try:
        yield Checkpoints(directory)
    except (EngineError, KeyboardInterrupt) as error:
        may_go_on = isinstance(error, KeyboardInterrupt) or _is_of_the_disk(error)
        if may_go_on and Checkpoints(directory).holds_any():
            error.add_note(_HOW_TO_GO_ON)
        else:
            shutil.rmtree(directory, ignore_errors=True)
        raise


def _is_of_the_disk(error: EngineError) -> bool:
    """Tells whether a build failed because the index or the work database could not be written."""
    import duckdb

    return not isinstance(error, SourceError) and isinstance(error.__cause__, OSError | duckdb.IOException)


def _require_same(before: Mapping[str, Any], now: Mapping[str, Any], directory: Path) -> None:
    """Compares two builds' files, settings and versions; raises an error that names the first difference."""
    settings = {*before["settings"], *now["settings"]}
    changed = sorted(name for name in settings if before["settings"].get(name) != now["settings"].get(name))
    if before["version"] != now["version"]:
        what = f"another version ({before['version']})"
    elif before["reviews"] != now["reviews"] or before["metadata"] != now["metadata"]:
        what = "other files, or of files that have changed since"
    elif changed:
        what = f"other settings ({', '.join(changed)})"
    else:
        return
    raise ConfigError(
        f"Cannot resume: the interrupted build in {directory.parent} was of {what}; give the same files and "
        "settings to the same version, or leave out --resume to start anew"
    )


def _signature(path: Input) -> list[Any]:
    """Returns the facts by which an input is recognised: path, size and modification time of a file.

    For a pipe or a folder, only the path is returned. A table in memory is recognised by the checksum of the
    file into which the build writes the table.
    """
    if isinstance(path, Given) and path.remote is not None:
        return [path.remote.url, path.remote.size, path.remote.mark]
    if isinstance(path, Given) and path.path == path.file:
        return _signature(path.file)
    if isinstance(path, Given):
        with path.file.open("rb") as file:
            return [str(path.path), hashlib.file_digest(file, "sha256").hexdigest()]
    if is_read_once(path):
        return [str(path)]
    if path.is_dir():
        return [str(path.absolute())]  # A folder is a journal, which may have grown since the checkpoint.
    try:
        facts = path.stat()
    except OSError:
        return [str(path.absolute())]
    return [str(path.absolute()), facts.st_size, facts.st_mtime_ns]


def _read(path: Path) -> dict[str, Any] | None:
    """Reads the recorded files, settings and version of a build, or returns None if no record can be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None
