"""Writes the top lists of everyone to files: in constant memory, by several processes, and resumable.

The reviewers are cut into shards, which a runner hands to workers. Each worker opens the index by itself,
which costs little since an index is mapped from disk. `pipelines/batch/shards.py` says what is on disk.
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

from engine import Engine
from engine.config.values import at_least, one_of
from engine.errors import ConfigError
from engine.questions.ids import ids_of, read_ids
from engine.questions.options import ListArguments, ListOptions, check_k
from pipelines.batch.list_files import FORMATS
from pipelines.batch.local_processes import run_shards
from pipelines.batch.shards import Shard, Shards

logger = logging.getLogger(__name__)

SHARD_SIZE = 20_000
"""Reviewers of a shard: a few seconds of work, which is what a kill costs."""
_MOST_NOTED = 20
"""Values of an option that the progress file spells out; longer lists are noted as a digest."""


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
    """Writes the top lists of everyone, or of some reviewers; after a kill the same call goes on.

    The lines have the columns reviewer_id, rank, movie_id, score, relevance, predicted_rating and
    like_probability. The lists stand in the order of the reviewers, and are those of `Engine.recommend`; a
    list is shorter than k only where no more movies match.

    `output` is a directory, for a file a shard, or one file that ends with .parquet, .csv or .jsonl. The
    format is by default the ending of the file, and Parquet for a directory. The reviewers are ids, or a file
    with one id a line; by default everyone. A shard has `shard_size` reviewers. With 0 processes, there is
    one a core. The options are those of `Engine.recommend_many`. Returns what the command line prints.

    Raises:
        EngineError: an argument is out of range or unknown, the output holds the lists of another run, or
            the output cannot be written.
    """
    started = time.perf_counter()
    check_k(k)
    at_least(1).check("shard_size", shard_size)
    at_least(0).check("processes", processes)
    output, format = _check_output(Path(output), format)
    checked = _check_options(options)
    engine = Engine.load(index)
    rows = range(engine.num_reviewers) if reviewers is None else _rows_of(engine, reviewers)
    # A wrong condition and unknown ids are reported here, before anything is written.
    engine.list_columns(np.arange(min(1, engine.num_reviewers), dtype=np.int64), k, **checked)
    build = engine.info()["build"]
    is_file = bool(output.suffix) and output.suffix[1:] == format and not output.is_dir()
    directory = output.with_name(f".{output.name}.shards") if is_file else output
    common = {"build": build, "k": k, "format": format}
    work = {
        **common,
        "shard_size": shard_size,
        "reviewers": None if reviewers is None else _digest(rows),
        "options": {name: _noted(value) for name, value in checked.items() if value not in (None, False, 0)},
    }
    planned = [
        Shard(number, rows[begin : begin + shard_size])
        for number, begin in enumerate(range(0, len(rows), shard_size))
    ]
    shards = Shards(directory, format, work, planned)
    try:
        resumed = shards.num_reviewers
        settings = {"index": str(index), **common, "options": checked}
        run_shards(shards, settings, processes or os.cpu_count() or 1)
        summary = {
            "output": str(output),
            **common,
            "num_reviewers": shards.num_reviewers,
            "num_rows": shards.num_rows,
            "num_shards": len(planned),
            "resumed_reviewers": resumed,
            "seconds": round(time.perf_counter() - started, 3),
        }
        if is_file:
            shards.join(output)
    finally:
        shards.close()
    logger.info("Wrote lists of %s reviewers to %s in %.1f s", f"{len(rows):,}", output, summary["seconds"])
    return summary


def _check_output(output: Path, format: str | None) -> tuple[Path, str]:
    """Checks that the place and the format go together, and returns both."""
    ending = output.suffix[1:]
    if format is not None:
        one_of(*FORMATS).check("format", format)
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


def _check_options(options: ListArguments) -> ListArguments:
    """Checks the options, and returns them as JSON holds them: files of ids are read, as they may change."""
    given: dict[str, Any] = dict(options)
    for name in ("only", "exclude"):
        if given.get(name) is not None:
            given[name] = ids_of(given[name])
    if ListOptions(**given).show_variants:
        raise ConfigError("The files have no place for the variants of a movie; leave --show-variants out")
    checked: ListArguments = {**given, "because": False}  # type: ignore[typeddict-item]
    return checked


def _rows_of(engine: Engine, reviewers: Path | Sequence[str]) -> Sequence[int]:
    """Returns the rows of some reviewers, in the order given, each once."""
    ids = read_ids(reviewers, "reviewer") if isinstance(reviewers, Path) else list(map(str, reviewers))
    if not ids:
        raise ConfigError("No reviewer is named; give at least one id, or none at all for everyone")
    rows: list[int] = engine.reviewer_rows(list(dict.fromkeys(ids))).tolist()
    return rows


def _noted(value: Any) -> Any:
    """Returns a value as the progress file holds it: a digest in place of a long list."""
    return _digest(value) if isinstance(value, list) and len(value) > _MOST_NOTED else value


def _digest(values: Sequence[Any]) -> dict[str, Any]:
    """Returns the number and the checksum of some values, which tell them from other values."""
    return {"count": len(values), "sha256": hashlib.sha256(json.dumps(values).encode()).hexdigest()}
