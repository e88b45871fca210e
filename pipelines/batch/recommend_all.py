"""The top lists of everyone, in files: in constant memory, by several processes, and resumable.

The reviewers are cut into shards. Each process opens the index by itself, which costs nothing as it is
mapped, and makes the lists of one shard after the other; see `pipelines/batch/shards.py` for what is on disk.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from engine import Engine
from engine.config.values import require_choice, require_range
from engine.errors import ConfigError
from engine.questions.ids import ids_of, read_ids
from engine.questions.options import ListArguments, ListOptions, check_k
from pipelines.batch.list_files import FORMATS
from pipelines.batch.local_processes import _make, _Shard
from pipelines.batch.shards import Shards

logger = logging.getLogger(__name__)

SHARD_SIZE = 20_000
"""Reviewers of a shard: a few seconds of work, which is what a kill costs."""
_SHOWN_VALUES = 20


def recommend_all(
    index: Path | str,
    output: Path | str,
    *,
    k: int = 10,
    format: str | None = None,
    reviewers: Path | Sequence[str] | None = None,
    shard_size: int = SHARD_SIZE,
    processes: int = 0,
    **options: Unpack[ListArguments],
) -> dict[str, Any]:
    """Writes the top lists of everyone, or of some reviewers; the same call goes on after a kill.

    The lines have the columns reviewer_id, rank, movie_id, score, relevance, predicted_rating and
    like_probability; the lists stand in the order of the reviewers, and are those of `Engine.recommend`.

    Args:
        index: the directory of the index.
        output: a directory for a file a shard, or one file that ends with .parquet, .csv or .jsonl.
        k: how long the lists are, at least 1; shorter only where no more movies match.
        format: parquet, csv or jsonl; by default what the file's ending says, and Parquet for a directory.
        reviewers: whom the lists are for, ids or a file with one a line; by default everyone.
        shard_size: reviewers in a shard.
        processes: how many work at a time; 0 takes one a core.
        options: what the lists may hold, as of `Engine.recommend_many`.

    Returns:
        What was written, as the command line prints it: output, format, num_reviewers, num_rows and more.

    Raises:
        EngineError: something given is out of range or unknown, the output holds another work, or cannot be
            written.
    """
    started = time.perf_counter()
    check_k(k)
    require_range("shard_size", shard_size, low=1)
    require_range("processes", processes, low=0)
    output, format = _check_output(Path(output), format)
    checked = _plain(options)
    engine = Engine.load(index)
    rows = None if reviewers is None else _chosen(engine, reviewers)
    num_reviewers = engine.num_reviewers if rows is None else len(rows)
    # A condition that does not parse, and ids that are unknown, are said before anything is written.
    engine.list_columns(np.arange(min(1, engine.num_reviewers), dtype=np.int64), k, **checked)
    build = engine.info()["build"]
    is_file = bool(output.suffix) and output.suffix[1:] == format and not output.is_dir()
    directory = output.with_name(f".{output.name}.shards") if is_file else output
    work = {
        "build": build,
        "k": k,
        "format": format,
        "shard_size": shard_size,
        "reviewers": None if rows is None else {"count": len(rows), "sha256": _digest(rows.tolist())},
        "options": {name: _shown(value) for name, value in checked.items() if value not in (None, False, 0)},
    }
    shards = Shards(directory, format, work)
    try:
        planned = [
            _Shard(number, begin, min(begin + shard_size, num_reviewers))
            for number, begin in enumerate(range(0, num_reviewers, shard_size))
        ]
        resumed = shards.num_reviewers
        todo = [shard for shard in planned if not shards.is_complete(shard.number)]
        if todo:
            setup = {"index": str(index), "build": build, "k": k, "format": format, "options": checked}
            _make(shards, todo, rows, setup, processes or os.cpu_count() or 1, num_reviewers)
        summary = {
            "output": str(output),
            "format": format,
            "build": build,
            "k": k,
            "num_reviewers": shards.num_reviewers,
            "num_rows": shards.num_rows,
            "num_shards": len(planned),
            "resumed_reviewers": resumed,
            "seconds": round(time.perf_counter() - started, 3),
        }
        if is_file:
            shards.join([shard.number for shard in planned], output)
    finally:
        shards.close()
    logger.info(
        "Wrote the lists of %s reviewers to %s in %.1f s",
        f"{num_reviewers:,}",
        output,
        time.perf_counter() - started,
    )
    return summary


def _check_output(output: Path, format: str | None) -> tuple[Path, str]:
    ending = output.suffix[1:]
    if format is not None:
        require_choice("format", format, FORMATS)
    if output.is_dir() or ending not in FORMATS:
        if output.exists() and not output.is_dir():
            raise ConfigError(
                f"{output} is a file; name a directory, or a file that ends with .parquet, .csv or .jsonl"
            )
        return output, format or FORMATS[0]
    if format not in (None, ending):
        raise ConfigError(f"{output} ends with .{ending} but the format is {format}; let them be the same")
    if not output.absolute().parent.is_dir():
        raise ConfigError(f"There is no directory {output.parent} to write {output.name} to; create it first")
    return output, ending


def _plain(options: ListArguments) -> ListArguments:
    """The options as JSON holds them; files of ids are read, so that they may change meanwhile."""
    given: dict[str, Any] = dict(options)
    for name in ("only", "exclude"):
        if given.get(name) is not None:
            given[name] = ids_of(given[name])
    if ListOptions(**given).show_variants:
        raise ConfigError("The files have no place for the variants of a movie; leave --show-variants out")
    plain: ListArguments = {**given, "because": False}  # type: ignore[typeddict-item]
    return plain


def _chosen(engine: Engine, reviewers: Path | Sequence[str]) -> NDArray[np.int64]:
    """The positions of some reviewers, in the order given, each once."""
    ids = read_ids(reviewers, "reviewer") if isinstance(reviewers, Path) else list(map(str, reviewers))
    if not ids:
        raise ConfigError("No reviewer is named; give at least one id, or none at all for everyone")
    return engine.reviewer_rows(list(dict.fromkeys(ids)))


def _shown(value: Any) -> Any:
    """A value as the progress file keeps it: of long lists a digest, which tells them apart as well."""
    if isinstance(value, list) and len(value) > _SHOWN_VALUES:
        return {"count": len(value), "sha256": _digest(value)}
    return value


def _digest(values: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()
