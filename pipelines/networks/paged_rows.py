"""Keeps reviewers' embeddings in a file during training, and one block of reviewers at a time in memory.

A training row holds the numbers that training keeps for one reviewer: the reviewer's embedding, and the
optimizer's running means of the gradients. A block is a group of successive batches of a round; the training
rows of the block's reviewers fit into memory together. Dividing a round into blocks does not change the order
of the batches. Because the order of the batches stays the same, training block by block gives the same result
as training with the training rows of all reviewers in memory.
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
"""The number of copies of a block's training rows that are in memory while the block is moved between the
file and the network."""
_ROWS_AT_ONCE = 2**14
"""The number of reviewers whose training rows (embedding and running means) are copied between file and
memory in one step. Each training row that is being copied keeps one or two pages of the file in memory; a
page has 4 KiB."""


class Block(NamedTuple):
    """Holds a block: successive batches of a round, and the rows of all reviewers in the block's batches."""

    batches: list[RelevanceBatch]
    reviewer_rows: Rows
    """int64 [num_rows], the rows of all reviewers in the block's batches, ascending."""


def table_bytes(num_reviewers: int, config: RelevanceConfig) -> int:
    """Returns the size in bytes of the embeddings of all reviewers, with the optimizer's running means.

    The returned size is 0 if reviewers have no embeddings.
    """
    return 0 if config.reviewer_embeddings == "none" else num_reviewers * _row_bytes(config)


def file_bytes(num_reviewers: int, config: RelevanceConfig) -> int:
    """Returns how many bytes a training writes to files to keep reviewers' embeddings out of memory.

    One file holds the embeddings of all reviewers, with the optimizer's running means of the gradients.
    Another file holds the reviewers' embeddings after the best round of training so far. If the embeddings
    and running means of all reviewers take no more memory than the setting `relevance.memory_limit` allows,
    no file is written, and the function returns 0.
    """
    rows = table_bytes(num_reviewers, config)
    is_paged = rows > size_in_bytes(config.memory_limit)
    return rows + 4 * config.embedding_dim * num_reviewers if is_paged else 0


def rows_of_block(num_reviewers: int, config: RelevanceConfig, least: int) -> int | None:
    """Returns the largest number of reviewers in a block, or None if all training rows fit into memory.

    The argument `least` is the number of examples in a batch, and the returned number is at least `least`. A
    block must hold a whole batch, and each example of a batch may have a different reviewer.
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
    """Returns the size in bytes of a training row, the numbers that training keeps for one reviewer.

    A training row holds the reviewer's embedding, two running means for each number of the embedding, and the
    number of updates of the embedding.
    """
    return 4 * (3 * config.embedding_dim + 1)


class PagedRows:
    """Keeps reviewers' embeddings in a file during training, and loads one block of reviewers at a time.

    The file is temporary, and holds each reviewer's embedding with the optimizer's running means of the
    gradients. A block is a group of successive batches whose reviewers' embeddings and running means fit into
    memory together. Before the first batch of a block, the embeddings and running means of the block's
    reviewers are copied from the temporary file to the network's variables. After the last batch of a block,
    the embeddings and running means of the block's reviewers are copied back to the temporary file. The file
    of embeddings has no name; the operating system deletes the file when the process ends.

    Args:
        num_rows: the number of all reviewers.
        block_rows: the largest number of reviewers whose embeddings are in memory at the same time. A batch
            is never divided, so a block of a single batch may have more than `block_rows` reviewers.
        optimizer: the object whose variables hold the embeddings and the running means of one block's
            reviewers.
        draw: a function that takes a number n, and returns the initial embeddings of the next n reviewers in
            the order of reviewer rows, float32 [n, dim].
        folder: the folder of the temporary file; None for the system's folder for temporary files.
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
        """Yields the batches of a round, and loads the embeddings of the reviewers in the batches.

        In each yielded batch, the row of a reviewer is replaced by the position of the reviewer's embedding
        in the network's variables.

        A block is a group of successive batches whose reviewers' embeddings fit into memory together. Before
        the first batch of a block, the embeddings of the block's reviewers, with the optimizer's running
        means of their gradients, are loaded from the temporary file. After the last batch of a block, the
        changed embeddings and running means of gradients are stored in the temporary file of `PagedRows`.
        """
        for block in read_ahead(self._divide(batches)):
            self._load(block.reviewer_rows)
            for batch in block.batches:
                places = np.searchsorted(block.reviewer_rows, batch.reviewer_rows)
                yield batch._replace(reviewer_rows=places.astype(np.int32))
            self._store()

    @property
    def embeddings(self) -> Floats:
        """Returns the embeddings of all reviewers, mapped from the file, float32 [num_rows, dim]."""
        return self._rows[:, self._columns[0]]

    def keep(self, embeddings: Floats) -> Floats:
        """Copies the embeddings of all reviewers after the best round so far to a second file.

        Returns the copied embeddings, as a memory map of the file to which the embeddings were copied. If the
        second file already holds a reviewer's current embedding, the embedding is not copied again.
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
        """Returns the embeddings and the optimizer's running means of all reviewers, for a checkpoint.

        The returned array is a memory map of the temporary file, with a row for each reviewer.
        """
        return self._rows

    def assign(self, rows: Floats) -> None:
        """Replaces all reviewers' embeddings and running means of gradients by values from a checkpoint."""
        for piece in self._pieces(np.arange(len(rows))):
            self._rows[piece] = rows[piece]
        self._changed[:] = True

    def _divide(self, batches: Iterable[RelevanceBatch]) -> Iterator[Block]:
        """Groups successive batches into blocks; a block has at most `block_rows` reviewers, or one batch."""
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
        """Copies the training rows (embeddings, running means) of reviewers `rows` from file to network."""
        self._loaded = rows
        block = np.empty((len(rows), self._rows.shape[1]), dtype=np.float32)
        for first, piece in zip(range(0, len(rows), _ROWS_AT_ONCE), self._pieces(rows), strict=True):
            block[first : first + len(piece)] = self._rows[piece]
        for variable, columns in zip(self._variables, self._columns, strict=True):
            variable.assign(block[:, columns])

    def _store(self) -> None:
        """Copies the loaded training rows (embeddings, running means) from the network to the file."""
        block = np.concatenate([variable.numpy() for variable in self._variables], axis=1)
        for first, piece in zip(range(0, len(block), _ROWS_AT_ONCE), self._pieces(self._loaded), strict=True):
            self._rows[piece] = block[first : first + len(piece)]
        self._changed[self._loaded] = True

    def _pieces(self, rows: Rows) -> Iterator[Rows]:
        """Divides reviewer rows into pieces, and releases the memory of the mapped files after each piece.

        The operating system may still keep parts of the mapped files in its own cache after the release.
        """
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            yield rows[first : first + _ROWS_AT_ONCE]
            for file in (self._file, self._best_file):
                if file is not None:
                    file.madvise(mmap.MADV_DONTNEED)

    def _new_file(self, num_rows: int, width: int, draw: Callable[[int], Any]) -> tuple[mmap.mmap, Floats]:
        """Writes a file of rows of `width` numbers, and maps the file.

        Each row begins with an embedding from `draw`, and continues with zeros. The file is written in full
        before it is mapped, because a process that writes to a mapped file on a full disk is killed.
        """
        with tempfile.TemporaryFile(dir=self._folder) as file:
            for first in range(0, num_rows, _ROWS_AT_ONCE):
                rows = np.zeros((min(_ROWS_AT_ONCE, num_rows - first), width), dtype=np.float32)
                rows[:, self._columns[0]] = draw(len(rows))
                rows.tofile(file)
            file.flush()
            mapped = mmap.mmap(file.fileno(), 0)
        return mapped, np.frombuffer(mapped, dtype=np.float32).reshape(num_rows, width)
