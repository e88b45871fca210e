"""A process that makes lists shard by shard; `pipelines/batch/recommend_all.py` starts and instructs it.

Its first line of input says which index, which settings; each further line is a shard. What it says on its
output are lines of JSON too: how many reviewers more are done, that a shard is written, or what went wrong.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from engine import Engine
from engine.errors import ArtifactError, EngineError
from engine.lists.columns import ListColumns
from pipelines.batch.list_files import write_lists

_BATCH = 1024


class Worker:
    """Makes the lists of one shard after the other.

    Args:
        index: the directory of the index.
        build: the build in it that must be live.
        k: how long the lists are.
        format: one of `pipelines.batch.list_files.FORMATS`.
        options: as of `Engine.recommend_many`.
        say: told what to report, as JSON holds it.

    Raises:
        ArtifactError: the index is not there, damaged, or another build by now.
    """

    def __init__(
        self, index: str, build: str, k: int, format: str, options: dict[str, Any], say: Any
    ) -> None:
        self._engine = Engine.load(index)
        if self._engine.info()["build"] != build:
            raise ArtifactError(f"The index at {index} was built again meanwhile; start over")
        self._k = k
        self._format = format
        self._options = options
        self._say = say
        self._movie_ids: dict[int, str] = {}

    def write(self, path: Path, reviewer_rows: list[int]) -> int:
        """Writes the lists of some reviewers to a file and gives the number of its lines."""
        parts, lengths = [], []
        for begin in range(0, len(reviewer_rows), _BATCH):
            rows = np.array(reviewer_rows[begin : begin + _BATCH], dtype=np.int64)
            parts.append(self._engine.list_columns(rows, self._k, **self._options))
            lengths.append(len(rows))
            self._say({"done": len(rows)})
        columns = ListColumns.joined(parts, lengths)
        self._learn(columns)
        reviewer_ids = self._engine.reviewer_ids(reviewer_rows)
        write_lists(columns, reviewer_ids, self._movie_ids, path, self._format)
        return len(columns.places)

    def _learn(self, columns: ListColumns) -> None:
        unknown = [int(row) for row in np.unique(columns.movie_rows) if int(row) not in self._movie_ids]
        self._movie_ids.update(zip(unknown, self._engine.movie_ids(unknown), strict=True))


def work(tasks: TextIO, reports: TextIO) -> None:
    """Does what the lines of `tasks` say, until they end or nobody reads the reports."""

    def say(report: dict[str, Any]) -> None:
        reports.write(json.dumps(report) + "\n")
        reports.flush()

    try:
        worker = Worker(**json.loads(tasks.readline()), say=say)
        say({"ready": True})
        for line in tasks:
            task = json.loads(line)
            rows = task.get("rows") or list(range(task["begin"], task["end"]))
            say({"written": worker.write(Path(task["path"]), rows)})
    except EngineError as error:
        say({"error": str(error)})


if __name__ == "__main__":
    try:
        work(sys.stdin, sys.stdout)
    except (BrokenPipeError, KeyboardInterrupt):
        sys.exit(1)
