from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from engine.artifact.ids import IdTable, build_id_arrays
from engine.config.sections import IngestConfig
from engine.errors import DataError
from pipelines.dataset.reviews import COUNT_LEVELS
from pipelines.ingest.ingest import ingest
from pipelines.updating.incoming import read_incoming

if TYPE_CHECKING:
    import duckdb

MOVIES = IdTable(*build_id_arrays(["m1", "m2", "m3"]))


def read(database: duckdb.DuckDBPyConnection, path: Path, kind: str, lines: str) -> None:
    path.write_text(lines)
    config = IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1, ratings=kind)
    ingest(database, [path], [], config, few=True)


def test_new_counts_become_likes_by_the_least_count_of_the_index(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    read(database, tmp_path / "r.csv", "counts", "user,item,rating\nu1,m1,500\nu1,m2,2\nu2,m3,3\n")
    incoming = read_incoming(database, MOVIES, COUNT_LEVELS, 3.0)
    assert incoming.level_rows.tolist() == [1, 0, 1]
    assert incoming.ratings.tolist() == [500, 2, 3]


def test_ratings_beyond_the_index_are_refused(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    levels = np.arange(1, 6, dtype=np.float32)
    read(database, tmp_path / "r.csv", "stars", "user,item,rating\nu1,m1,50\nu1,m2,2\n")
    with pytest.raises(DataError, match="such as 50, are beyond those of the index, 1 to 5"):
        read_incoming(database, MOVIES, levels)
    read(database, tmp_path / "r.csv", "counts", "user,item\nu1,m1\nu1,m2\n")
    with pytest.raises(DataError, match="built from counts; give reviews with ratings"):
        read_incoming(database, MOVIES, COUNT_LEVELS, 3.0)
