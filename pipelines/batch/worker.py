"""Makes recommendation lists in a child process, one shard (a part of the reviewers) after another.

The command `python -m pipelines.batch.worker` starts a child process. The first line of the child process's
input holds the arguments of `Worker`, and each further line describes one shard. The child process reports
its progress to the parent process as lines of JSON on standard output. While the lists of a shard are being
made, each report holds the number of lists that were made since the previous report. When a shard is
complete, a report holds the number of lines in the shard's file. After an error, a report holds the text of
the error. The child process ends at the end of its input, which means that the parent process has ended.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from engine import Engine
from engine.errors import ArtifactError, EngineError
from engine.lists.columns import ListColumns
from pipelines.batch.list_files import write_lists

_BATCH = 1024


class Worker:
    """Makes the recommendation lists of shards; each list equals the list of `Engine.recommend_many`.

    Args:
        index: the directory of the index.
        build: the name of the build that was live when the run started.
        k: the number of movies in each list.
        format: the format of the files that are written, such as "parquet".
        options: fields of `ListOptions`, as in `Engine.recommend_many`.
        on_lists: a function that is called after each batch of reviewers with the number of reviewers in the
            batch.

    Raises:
        ArtifactError: the index does not exist; the index is damaged; or the index was built again after the
            run started.
    """

    def __init__(
        self,
        index: str,
        build: str,
        k: int,
        format: str,
        options: dict[str, Any],
        on_lists: Callable[[int], object],
    ) -> None:
        self._engine = Engine.load(index)
        if self._engine.info()["build"] != build:
            raise ArtifactError(f"The index at {index} was built again meanwhile; start over")
        self._k = k
        self._format = format
        self._options = options
        self._on_lists = on_lists
        self._named: dict[int, tuple[str, str | None]] = {}
        """The id and the title of each movie that was listed so far, with movie rows as keys."""

    def write(self, path: Path, reviewer_rows: Sequence[int | str]) -> int:
        """Writes the recommendation lists of the given reviewers to a file; returns the number of lines.

        For each reviewer, the sequence `reviewer_rows` holds the reviewer's row in the index, a whole number.
        If the index does not hold a reviewer, `reviewer_rows` holds the reviewer's id, a text, instead.
        """
        parts, lengths = [], []
        for begin in range(0, len(reviewer_rows), _BATCH):
            batch = reviewer_rows[begin : begin + _BATCH]
            parts.append(self._lists(batch))
            lengths.append(len(batch))
            self._on_lists(len(batch))
        columns = ListColumns.joined(parts, lengths)
        new = [row for row in np.unique(columns.movie_rows).tolist() if row not in self._named]
        titled = ((one, self._engine.title(one)) for one in self._engine.movie_ids(new))
        self._named.update(zip(new, titled, strict=True))
        known = iter(self._engine.reviewer_ids(one for one in reviewer_rows if isinstance(one, int)))
        reviewer_ids = [one if isinstance(one, str) else next(known) for one in reviewer_rows]
        write_lists(columns, reviewer_ids, self._named, path, self._format)
        return len(columns.places)

    def _lists(self, reviewers: Sequence[int | str]) -> ListColumns:
        """Makes one list per reviewer; a reviewer whom the index does not hold gets popular movies."""
        known = [place for place, one in enumerate(reviewers) if isinstance(one, int)]
        rows = np.array([reviewers[place] for place in known], dtype=np.int64)
        columns = self._engine.list_columns(rows, self._k, **self._options)
        unknown = np.setdiff1d(np.arange(len(reviewers)), known)
        if not len(unknown):
            return columns
        columns = columns._replace(places=np.array(known, dtype=np.int64)[columns.places])
        somebody = str(reviewers[unknown[0]])
        popular = self._engine.recommend(somebody, self._k, fallback="popular", **self._options)
        popular_columns = self._engine.index.columns.columns_of([popular])
        repeated = ListColumns.joined([popular_columns] * len(unknown), [1] * len(unknown))
        repeated = repeated._replace(places=unknown[repeated.places])
        both = ListColumns.joined([columns, repeated], [0, 0])
        return both.select(np.argsort(both.places, kind="stable"))


def work(tasks: Iterator[str], reports: TextIO) -> None:
    """Makes the lists of the shards that the lines of `tasks` describe, and writes reports as lines of JSON.

    The first line of `tasks` holds the arguments of `Worker`. The function returns after the last line of
    `tasks`, or after an error.
    """

    def report(**facts: Any) -> None:
        reports.write(json.dumps(facts) + "\n")
        reports.flush()

    try:
        worker = Worker(**json.loads(next(tasks)), on_lists=lambda number: report(done=number))
        report(ready=True)
        for line in tasks:
            task = json.loads(line)
            report(written=worker.write(Path(task["path"]), task["reviewer_rows"]))
    except EngineError as error:
        report(error=str(error))


def _lines_until_the_end(tasks: TextIO) -> Iterator[str]:
    """Yields the lines of `tasks`; at the end of `tasks`, ends the process even if lists are being made."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in tasks:
            lines.put(line)
        os._exit(1)

    threading.Thread(target=read, name="tasks", daemon=True).start()
    while True:
        yield lines.get()


if __name__ == "__main__":
    try:
        work(_lines_until_the_end(sys.stdin), sys.stdout)
    except (BrokenPipeError, KeyboardInterrupt):
        sys.exit(1)
