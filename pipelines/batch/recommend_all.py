"""Writes the recommendation lists of all reviewers to files, in several processes, with little memory.

The reviewers are divided into parts, called shards. Each child process, or each worker process of Ray, makes
the lists of one shard after another. Each process opens the index, which takes little memory because the
files of an index are memory-mapped. A killed run can be resumed, as `pipelines/batch/shards.py` explains.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from engine import Engine
from engine.config.values import at_least, one_of
from engine.errors import ConfigError
from engine.questions.arguments import ListArguments, ListOptions, check_fallback, check_k
from engine.questions.ids import ids_of, read_ids
from pipelines.batch.cluster import run_on_ray
from pipelines.batch.list_files import FORMATS
from pipelines.batch.local_processes import run_shards
from pipelines.batch.shards import Shard, Shards
from pipelines.inputs.remote import is_url
from pipelines.work.checkpoints import going_on
from pipelines.work.progress import progress_of_lists
from pipelines.work.runners import check_place, runner_for

logger = logging.getLogger(__name__)

SHARD_SIZE = 20_000
"""The default number of reviewers in a shard. A killed run loses the lists of incomplete shards; a later run
makes these lists again, which takes a few seconds for a shard of 20,000 reviewers."""
_MOST_NOTED = 20
"""If an option has more values than this number, the file `progress.json` holds a hash of the values, and not
the values."""


def recommend_all(
    index: Path | str,
    output: Path | str,
    *,
    k: int = 10,
    format: str | None = None,
    reviewers: Path | Sequence[str] | None = None,
    shard_size: int = SHARD_SIZE,
    processes: int = 0,
    fallback: str = "error",
    overwrite: bool = False,
    on: str | None = None,
    address: str | None = None,
    **options: Unpack[ListArguments],
) -> dict[str, Any]:
    """Writes a list of the k best movies for each reviewer, or for each given reviewer, to files.

    If a run is killed, another call with the same arguments resumes the run. If the index was built again
    after a run was killed, the next call makes all lists anew. The output files have the columns reviewer_id,
    rank, movie_id, title, score, relevance, predicted_rating and like_probability. In the output files, the
    lists are in the order of the argument `reviewers`, or in the order of the index if `reviewers` is None.
    Each list equals the list that `Engine.recommend` returns, and holds fewer than k movies only if the
    options allow fewer than k movies.

    Args:
        index: the directory of the index.
        output: a directory, or a URL such as s3://bucket/lists, to which one file for each shard is written;
            or one file for all lists, whose name ends with .parquet, .csv or .jsonl. A URL may have any
            scheme that the package fsspec supports.
        k: the number of movies in each list, at least 1.
        format: the format of the files: "parquet", "csv" or "jsonl"; by default the ending of the output
            file, or "parquet" for a directory.
        reviewers: the ids of the given reviewers, or the path of a file with one reviewer id per line; None
            for all reviewers of the index.
        processes: the number of child processes, or of worker processes of Ray; 0 for one process per core.
        shard_size: the number of reviewers in a shard.
        fallback: what to do for a reviewer whom the index does not hold: "error" raises an error; "popular"
            lists the most popular movies.
        overwrite: whether to replace an existing output file; in an output directory, whether to replace
            lists that were made with other arguments.
        on: "ray" to make the lists in worker processes of Ray; None to make the lists in child processes.
        address: the address of a Ray cluster; "auto" for the cluster that this machine belongs to; None to
            start Ray on this machine. Every machine of the Ray cluster must reach the index by the same path.
        options: fields of `ListOptions`, as in `Engine.recommend_many`.

    Returns:
        The summary that the command `engine recommend all` prints.

    Raises:
        EngineError: an argument has a wrong value; the output holds the lists of another run; or the output
            cannot be written.
    """
    started = time.perf_counter()
    check_k(k)
    check_fallback(fallback)
    at_least(1).check("shard_size", shard_size)
    check_place(on, address, processes)
    output, format = _check_output(output if is_url(output) else Path(output), format, overwrite)
    checked = _check_options(options)
    engine = Engine.load(index)
    named = None if reviewers is None else _ids_of(reviewers)
    rows = range(engine.num_reviewers) if named is None else _rows_of(engine, named, fallback)
    # Making the list of one reviewer reports a wrong filter or an unknown id before anything is written.
    engine.list_columns(np.arange(min(1, engine.num_reviewers), dtype=np.int64), k, **checked)
    build = engine.info()["build"]
    directory = output
    joined = None
    if isinstance(output, Path) and output.suffix[1:] == format and not output.is_dir():
        directory, joined = output.with_name(f".{output.name}.shards"), output
    common = {"build": build, "k": k, "format": format}
    work = {
        **common,
        "shard_size": shard_size,
        "reviewers": None if named is None else _digest(named),
        "options": {name: _noted(value) for name, value in checked.items() if value not in (None, False, 0)},
    }
    planned = [
        Shard(number, rows[begin : begin + shard_size])
        for number, begin in enumerate(range(0, len(rows), shard_size))
    ]
    shards = Shards(directory, format, work, planned, overwrite=overwrite)
    try:
        resumed = shards.num_reviewers
        # A worker of Ray may run in another working directory, so the path of the index is made absolute.
        where = index if on is None or is_url(index) else Path(index).absolute()
        settings = {"index": str(where), **common, "options": checked}
        with going_on("the same command goes on with the missing lists"), _progress(shards) as on_lists:
            if on is None:
                run_shards(shards, settings, processes or os.cpu_count() or 1, on_lists)
            elif shards.missing():
                with runner_for(on, address, processes, threads=1) as workers:
                    run_on_ray(shards, settings, workers, on_lists)
        summary = {
            "output": str(output),
            **common,
            "num_reviewers": shards.num_reviewers,
            "num_rows": shards.num_rows,
            "num_shards": len(planned),
            "resumed_reviewers": resumed,
            "seconds": round(time.perf_counter() - started, 3),
        }
        if joined is not None:
            shards.join(joined)
    finally:
        shards.close()
    logger.info("Wrote lists of %s reviewers to %s in %.1f s", f"{len(rows):,}", output, summary["seconds"])
    return summary


def _progress(shards: Shards) -> AbstractContextManager[Callable[[int], None]]:
    """Shows a progress bar that counts reviewers whose lists are made, by this run or by a killed run."""
    total = sum(len(shard.reviewer_rows) for shard in shards.planned)
    return progress_of_lists("Recommending", total, shards.num_reviewers)


def _check_output(output: Path | str, format: str | None, overwrite: bool) -> tuple[Path | str, str]:
    """Checks the output and the file format; returns the output, and the format or the default format.

    Raises:
        ConfigError: the ending of the output is not a file format; the ending differs from `format`; the
            output is a file that must not be replaced; or the directory of the output file does not exist.
    """
    if format is not None:
        one_of(*FORMATS).check("format", format)
    if isinstance(output, str):
        if output.rpartition(".")[2] in FORMATS:
            raise ConfigError(
                f"{output} names one file; remote storage takes a folder of files, so name a folder"
            )
        return output, format or FORMATS[0]
    ending = output.suffix[1:]
    if output.is_dir():
        return output, format or FORMATS[0]
    if ending not in FORMATS:
        if output.exists() or ending[:1].isalpha():
            what = "is a file" if output.exists() else f"ends with .{ending}"
            raise ConfigError(
                f"{output} {what}; name a directory, or a file that ends with .parquet, .csv or .jsonl"
            )
        return output, format or FORMATS[0]
    if output.exists() and not overwrite:
        raise ConfigError(f"{output} is there already; give --overwrite, or name another --output")
    if format not in (None, ending):
        raise ConfigError(f"{output} ends with .{ending} but the format is {format}; let them be the same")
    if not output.absolute().parent.is_dir():
        raise ConfigError(f"There is no directory {output.parent} to write {output.name} to; create it first")
    return output, ending


def _check_options(options: ListArguments) -> ListArguments:
    """Checks the options of recommendation lists; returns the options as values that JSON can hold.

    If an option, such as `only`, is a file of movie ids, the returned option is a list of the ids in the
    file.
    """
    given: dict[str, Any] = dict(options)
    for name in ("only", "exclude"):
        if given.get(name) is not None:
            given[name] = ids_of(given[name])
    if ListOptions(**given).show_variants:
        raise ConfigError("The files have no place for the variants of a movie; leave --show-variants out")
    checked: ListArguments = {**given, "because": False}  # type: ignore[typeddict-item]
    return checked


def _ids_of(reviewers: Path | Sequence[str]) -> list[str]:
    """Returns the ids of the given reviewers, in the given order, without repeats."""
    ids = read_ids(reviewers, "reviewer") if isinstance(reviewers, Path) else list(map(str, reviewers))
    if not ids:
        raise ConfigError("No reviewer is named; give at least one id, or none at all for everyone")
    return list(dict.fromkeys(ids))


def _rows_of(engine: Engine, named: Sequence[str], fallback: str) -> Sequence[int | str]:
    """Returns the row of each given reviewer.

    If `fallback` is "popular", the returned list holds the ids of reviewers who have no row because the index
    does not hold them. If `fallback` is "error", an id that the index does not hold raises an UnknownIdError.
    """
    if fallback == "error":
        rows: list[int] = engine.reviewer_rows(named).tolist()
        return rows
    found = engine.index.reviewers.rows(named).tolist()
    return [one if row < 0 else row for one, row in zip(named, found, strict=True)]


def _noted(value: Any) -> Any:
    """Returns what `progress.json` records of an option's value: a hash if the value is a long list."""
    return _digest(value) if isinstance(value, list) and len(value) > _MOST_NOTED else value


def _digest(values: Sequence[Any]) -> dict[str, Any]:
    """Returns the length and the SHA-256 hash of a list of values, by which equal lists are recognised."""
    return {"count": len(values), "sha256": hashlib.sha256(json.dumps(values).encode()).hexdigest()}
