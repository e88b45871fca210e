"""Holds the table of the movies that are most similar to each movie, which a build computes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, Rows
from engine.artifact.arrays import check_finite
from engine.artifact.layout import ARRAY_ENDING, SIMILAR_ARRAYS
from engine.artifact.reader import Artifact
from engine.model.neighbours import NeighbourTable


@dataclass(frozen=True, eq=False)
class SimilarTable:
    """Holds the movies most similar to each movie; the arrays are in memory or memory-mapped files."""

    table: NeighbourTable
    """The rows and the similarities of the movies most similar to each movie, most similar first."""
    shared: NDArray[np.int32]
    """int32 [num_pairs], the number of reviewers who had reviewed both movies of each pair in `table` at the
    time of the build."""

    @classmethod
    def open(cls, artifact: Artifact) -> SimilarTable | None:
        """Opens an index's table of similar movies; returns None for an older index without the table."""
        if not all(artifact.has(name + ARRAY_ENDING) for name in SIMILAR_ARRAYS.values()):
            return None
        arrays = artifact.arrays(SIMILAR_ARRAYS)
        shared = arrays.pop("shared")
        return cls(NeighbourTable(**arrays, is_stored=True), shared)

    def of(self, movie_row: int) -> tuple[Rows, Floats, NDArray[np.int32]]:
        """Returns a movie's most similar movies: their rows, similarities and numbers of shared reviewers."""
        rows, similarities = self.table.of(movie_row)
        check_finite(similarities, "similar movies")
        begin = int(self.table.offsets[movie_row])
        return rows.astype(np.int64), similarities, self.shared[begin : begin + len(rows)]
