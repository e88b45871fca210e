"""Records which recommendation lists were shown to whom, in Parquet files.

A shown list is first appended, as a line of JSON, to a file. From time to time, the file of JSON lines is
converted to a Parquet file, which appears only when the Parquet file is complete. If a process that records
shown lists is killed, the process leaves a file of JSON lines behind. When a process begins to record lists
in a folder, the process converts the files of JSON lines that killed processes left in the folder to Parquet
files.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.artifact.locks import take_lock
from engine.errors import ConfigError

logger = logging.getLogger(__name__)

MOST_LISTS = 20_000
"""The number of recorded lists after which the lists are written to a Parquet file."""
LONGEST_WAIT = 600.0
"""The number of seconds after which recorded lists are written to a Parquet file, even if there are few
lists."""
_SPOOL_ENDING = ".jsonl"
_STATEMENT = """
    copy (
        select
            recommendation_id, make_timestamp((time * 1000000)::bigint) as time,
            index_name, arm, build, question, reviewer_id,
            unnest(range(1, len(movie_ids) + 1)) + first_rank - 1 as rank,
            unnest(movie_ids) as movie_id, unnest(scores) as score
        from read_json($source, format = 'newline_delimited', ignore_errors = true, columns = {
            recommendation_id: 'varchar', time: 'double', index_name: 'varchar', arm: 'varchar',
            build: 'varchar', question: 'varchar', reviewer_id: 'varchar', first_rank: 'bigint',
            movie_ids: 'varchar[]', scores: 'double[]'
        })
    ) to '{target}' (format parquet)
"""


class ExposureLog:
    """Records shown recommendation lists in files of a folder, to which several processes may write.

    Args:
        folder: the folder of the Parquet files; a missing folder is made.

    Raises:
        ConfigError: the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="exposures")
        self._lock = threading.Lock()
        self._handle: int | None = None
        self._path = folder
        self._num_lists = 0
        self._began = 0.0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._open()
        except OSError as error:
            raise ConfigError(
                f"Cannot write exposures to {folder}: {(error.strerror or str(error)).lower()}; name another "
                "folder with --log-exposures."
            ) from error
        self._pool.submit(self._convert_leftovers)

    def add(
        self,
        facts: dict[str, Any],
        movie_ids: Sequence[str],
        scores: Sequence[float],
        first_rank: int = 1,
    ) -> None:
        """Records a recommendation list that is being sent to a client.

        Args:
            facts: the values recommendation_id, index_name, arm, build, question and reviewer_id of the list.
            movie_ids: the ids of the listed movies, in the order of the list.
            scores: the score of each listed movie; in a list of similar movies, the similarity.
            first_rank: the rank of the first movie; above 1 on the second page of a list and later pages.
        """
        now = time.time()
        line = {**facts, "time": now, "first_rank": first_rank, "movie_ids": movie_ids, "scores": scores}
        with self._lock:
            try:
                if self._handle is None:
                    self._open()
                assert self._handle is not None
                os.write(self._handle, json.dumps(line).encode("ascii") + b"\n")
                self._num_lists += 1
                if self._num_lists >= MOST_LISTS or now - self._began >= LONGEST_WAIT:
                    self._finish()
            except OSError as error:
                logger.warning("Cannot note exposures in %s: %s", self._folder, error.strerror or error)

    def rotate(self) -> None:
        """Converts the file of recorded lists to Parquet if the file is `LONGEST_WAIT` seconds old."""
        with self._lock:
            if self._num_lists and time.time() - self._began >= LONGEST_WAIT:
                self._finish()

    def close(self) -> None:
        """Writes all recorded lists to a Parquet file."""
        with self._lock:
            self._finish()
        self._pool.shutdown(wait=True)

    def _open(self) -> None:
        """Begins a new file of JSON lines; locks the file for as long as lines are appended."""
        name = f"exposures-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}{_SPOOL_ENDING}"
        path = self._folder / name
        self._handle = take_lock(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._path, self._num_lists, self._began = path, 0, time.time()

    def _finish(self) -> None:
        """Lets another thread convert the current file of JSON lines to a Parquet file."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            self._pool.submit(self._convert, self._path, handle)

    def _convert_leftovers(self) -> None:
        """Converts files of JSON lines, which killed processes left, to Parquet files."""
        for path in sorted(self._folder.glob(f"exposures-*{_SPOOL_ENDING}")):
            try:
                handle = take_lock(path, os.O_RDONLY)
            except OSError:
                continue
            if handle is not None:
                self._convert(path, handle)

    def _convert(self, path: Path, handle: int) -> None:
        """Converts a file of JSON lines to a Parquet file, and removes and unlocks the file of JSON lines.

        The Parquet file has the name of the file of JSON lines, but another ending. If the process is killed
        before the file of JSON lines is removed, the next process writes the same Parquet file once more.
        """
        import duckdb

        target = path.with_suffix(".parquet")
        unfinished = path.with_suffix(".partial")
        try:
            if path.stat().st_size:
                with duckdb.connect(config={"threads": 1}) as database:
                    statement = _STATEMENT.replace("{target}", str(unfinished).replace("'", "''"))
                    database.execute(statement, {"source": str(path)})
                unfinished.replace(target)
            path.unlink()
        except (OSError, duckdb.Error) as error:
            logger.warning("Cannot write %s: %s", target, error)
        finally:
            os.close(handle)
