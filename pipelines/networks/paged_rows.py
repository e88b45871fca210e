"""Keeps the rows of reviewers in a file, and trains one block of rows at a time in memory.

A row holds the embedding of a reviewer and what the optimizer keeps of it. A block is as many successive
batches of a round as have few enough reviewers. The order of the batches stays the same, so that a training
with blocks has the same result as a training with all rows in memory.
"""

from __future__ import annotations

import logging
import mmap
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.arrays import Floats, Rows
from engine.config.sections import RelevanceConfig
from engine.config.values import size_in_bytes
from pipelines.networks.batches import RelevanceBatch
from pipelines.networks.row_optimizer import RowOptimizer
from pipelines.work.parallel import read_ahead

logger = logging.getLogger(__name__)

_COPIES = 3
"""How often the rows of a block are in memory while they are moved between file and network."""
_ROWS_AT_ONCE = 2**14
"""The number of rows that are moved between file and memory at once; each takes a page or two of 4 KiB."""


class Block(NamedTuple):
    """Holds successive batches of a round, and the rows of their reviewers."""

    batches: list[RelevanceBatch]
    reviewer_rows: Rows
    """int64 [num_rows], the rows of all reviewers of the batches, ascending."""


def table_bytes(num_reviewers: int, config: RelevanceConfig) -> int:
    """Returns the bytes of the rows of all reviewers in training; 0 if reviewers have no embeddings."""
    return 0 if config.reviewer_embeddings == "none" else num_reviewers * _row_bytes(config)


def file_bytes(num_reviewers: int, config: RelevanceConfig) -> int:
    """Returns the bytes of disk space that the files of rows take; 0 if all rows fit into memory.

    One file holds the rows, and one file holds the embeddings of the best round.
    """
    rows = table_bytes(num_reviewers, config)
    is_paged = rows > size_in_bytes(config.memory_limit)
    return rows + 4 * config.embedding_dim * num_reviewers if is_paged else 0


def rows_of_block(num_reviewers: int, config: RelevanceConfig, least: int) -> int | None:
    """Returns the number of reviewers in a block; returns None if the rows of all reviewers fit into memory.

    The argument `least` is the smallest useful number of rows, which is the number of examples in a batch.
    """
    if not file_bytes(num_reviewers, config):
        return None
    size = table_bytes(num_reviewers, config) / 1e6
    rows = max(size_in_bytes(config.memory_limit) // (_COPIES * _row_bytes(config)), least)
    logger.info(
        "The vectors of %s reviewers take %s MB in training, more than relevance.memory_limit (%s): they are "
        "kept in a file, and at most %s reviewers are in memory at a time",
        f"{num_reviewers:,}", f"{size:,.1f}", config.memory_limit, f"{rows:,}",
    )  # fmt: skip
    return rows


def _row_bytes(config: RelevanceConfig) -> int:
    """Returns the bytes of a row: an embedding, two running means of each number, and a count of updates."""
    return 4 * (3 * config.embedding_dim + 1)


class PagedRows:
    """Keeps rows in a temporary file, and moves blocks of rows between the file and a network's variables.

    The file has no name, so that the file is gone when the process ends.

    Args:
        num_rows: the number of reviewers.
        block_rows: the largest number of rows in a block of several batches.
        optimizer: holds the variables for one block of rows, of any number of rows.
        draw: returns the initial embeddings of the given number of reviewers, one after another.
        folder: the folder of the file; None for the system's folder for temporary files.
    """

    def __init__(
        self,
        num_rows: int,
        block_rows: int,
        optimizer: RowOptimizer,
        draw: Callable[[int], Floats],
        folder: Path | None,
    ) -> None:
        self._variables = optimizer.variables
        self._block_rows = block_rows
        ends = np.cumsum([variable.shape[1] for variable in self._variables]).tolist()
        self._columns = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
        self._folder = folder
        self._file, self._rows = self._new_file(num_rows, ends[-1], draw)
        self._best_file: mmap.mmap | None = None
        self._best: Floats | None = None
        self._changed = np.ones(num_rows, dtype=np.bool_)
        self._loaded: Rows = np.zeros(0, dtype=np.int64)

    def blocks(self, batches: Iterable[RelevanceBatch]) -> Iterator[RelevanceBatch]:
        """Yields the batches with the rows that their reviewers have in the variables of the network.

        The rows of a block are loaded before its first batch, and stored after its last batch.
        """
        for block in read_ahead(self._divide(batches)):
            self._load(block.reviewer_rows)
            for batch in block.batches:
                places = np.searchsorted(block.reviewer_rows, batch.reviewer_rows)
                yield batch._replace(reviewer_rows=places.astype(np.int32))
            self._store()

    @property
    def embeddings(self) -> Floats:
        """Returns the embeddings of all reviewers as they are in the file, float32 [num_rows, dim]."""
        return self._rows[:, self._columns[0]]

    def keep(self, embeddings: Floats) -> Floats:
        """Keeps the given embeddings of all reviewers in a second file, and returns them from there.

        The embeddings are those of the best round so far. Only rows that changed since the best round before
        are copied.
        """
        if self._best is None:
            self._best_file, self._best = self._new_file(len(embeddings), embeddings.shape[1], lambda _: 0)
        if np.may_share_memory(embeddings, self._rows):
            changed = np.flatnonzero(self._changed)
            self._changed[:] = False
        else:
            changed = np.arange(len(embeddings))
        for rows in self._pieces(changed):
            self._best[rows] = embeddings[rows]
        return self._best

    def numpy(self) -> Floats:
        """Returns all rows as they are in the file, for a checkpoint."""
        return self._rows

    def assign(self, rows: Floats) -> None:
        """Takes over all rows from a checkpoint."""
        for piece in self._pieces(np.arange(len(rows))):
            self._rows[piece] = rows[piece]
        self._changed[:] = True

    def _divide(self, batches: Iterable[RelevanceBatch]) -> Iterator[Block]:
        """Divides the batches of a round into blocks."""
        held: list[RelevanceBatch] = []
        seen = np.zeros(len(self._rows), dtype=np.bool_)
        num_rows = 0
        for batch in batches:
            rows = np.unique(batch.reviewer_rows)
            num_new = len(rows) - int(seen[rows].sum())
            if held and num_rows + num_new > self._block_rows:
                yield Block(held, np.flatnonzero(seen))
                held, num_rows, num_new = [], 0, len(rows)
                seen[:] = False
            seen[rows] = True
            held.append(batch)
            num_rows += num_new
        if held:
            yield Block(held, np.flatnonzero(seen))

    def _load(self, rows: Rows) -> None:
        """Reads rows from the file into the variables of the network."""
        self._loaded = rows
        block = np.empty((len(rows), self._rows.shape[1]), dtype=np.float32)
        for first, piece in zip(range(0, len(rows), _ROWS_AT_ONCE), self._pieces(rows), strict=True):
            block[first : first + len(piece)] = self._rows[piece]
        for variable, columns in zip(self._variables, self._columns, strict=True):
            variable.assign(block[:, columns])

    def _store(self) -> None:
        """Writes the rows of the variables of the network to the file."""
        block = np.concatenate([variable.numpy() for variable in self._variables], axis=1)
        for first, piece in zip(range(0, len(block), _ROWS_AT_ONCE), self._pieces(self._loaded), strict=True):
            self._rows[piece] = block[first : first + len(piece)]
        self._changed[self._loaded] = True

    def _pieces(self, rows: Rows) -> Iterator[Rows]:
        """Divides rows into pieces; gives back the memory of the mapped files after each piece.

        The system keeps the pages of the files in its own memory as long as there is room.
        """
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            yield rows[first : first + _ROWS_AT_ONCE]
            for file in (self._file, self._best_file):
                if file is not None:
                    file.madvise(mmap.MADV_DONTNEED)

    def _new_file(self, num_rows: int, width: int, draw: Callable[[int], Any]) -> tuple[mmap.mmap, Floats]:
        """Writes a file of rows that begin with what `draw` returns, and maps the file.

        The file is written in full, since a process that writes to a mapped file on a full disk is killed.
        """
        with tempfile.TemporaryFile(dir=self._folder) as file:
            for first in range(0, num_rows, _ROWS_AT_ONCE):
                rows = np.zeros((min(_ROWS_AT_ONCE, num_rows - first), width), dtype=np.float32)
                rows[:, self._columns[0]] = draw(len(rows))
                rows.tofile(file)
            file.flush()
            mapped = mmap.mmap(file.fileno(), 0)
        return mapped, np.frombuffer(mapped, dtype=np.float32).reshape(num_rows, width)
