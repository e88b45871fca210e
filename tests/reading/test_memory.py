from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from engine.config.sections import IngestConfig
from engine.config.values import size_in_bytes
from pipelines.ingest.ingest import ingest
from pipelines.reading import staging
from pipelines.reading.sources import Source
from pipelines.reading.staging import block_size_for, memory_for_reading
from pipelines.text.lines import BLOCK_SIZE
from pipelines.text.streams import TextForm
from pipelines.work.database import open_database


def a_source(path: Path, num_bytes: int, layout: str = "json", *, packing: str = "gzip") -> Source:
    with path.open("wb") as file:
        file.truncate(num_bytes)  # takes no room on the disk
    return Source(path=path, file=path, layout=layout, form=TextForm(packing))  # type: ignore[arg-type]


def test_memory_follows_the_files_between_what_is_needed_and_what_is_allowed(tmp_path: Path) -> None:
    small = a_source(tmp_path / "small", 1_000)
    large = a_source(tmp_path / "large", 1_600_000_000)
    config = IngestConfig(memory_limit="4GB")
    assert memory_for_reading([small], config) == "500000KB"
    assert memory_for_reading([small, large], config) == "2000001KB"
    assert memory_for_reading([large] * 3, config) == "4000000KB"
    assert memory_for_reading([large], IngestConfig(memory_limit="300MB")) == "300000KB"


def test_rows_without_words_are_held_whole(tmp_path: Path) -> None:
    config = IngestConfig(memory_limit="100GB")
    table = a_source(tmp_path / "ratings.csv", 1_000_000_000, "delimited", packing="plain")
    packed = a_source(tmp_path / "ratings.parquet", 1_000_000_000, "parquet")
    assert memory_for_reading([table], config) == "1000000KB"
    assert memory_for_reading([packed], config) == "8000000KB"


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_blocks_are_smaller_where_memory_is(threads: int) -> None:
    sizes = [
        block_size_for(IngestConfig(memory_limit=limit, threads=threads))
        for limit in ("100MB", "500MB", "4GB", "64GB")
    ]
    assert sizes == sorted(sizes)
    assert 2**20 <= sizes[0] < sizes[-1] == BLOCK_SIZE


def test_the_database_is_held_to_it_while_it_reads_and_not_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "reviews.json.gz"
    rows = [{"reviewerID": f"R{row % 5}", "asin": f"M{row % 3}", "overall": 4} for row in range(15)]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    limits = []
    within = staging.limited_memory
    with open_database(tmp_path / "work.duckdb", memory_limit="1GB") as database:

        def note(*arguments: object) -> object:
            limits.append(arguments[1])
            return within(database, str(arguments[1]))

        monkeypatch.setattr("pipelines.ingest.ingest.limited_memory", note)
        ingest(database, [path], [], IngestConfig(memory_limit="600MB"))
        assert limits == ["500000KB"]
        [(after,)] = database.execute("select current_setting('memory_limit')").fetchall()
        assert size_in_bytes(after) == pytest.approx(1e9, rel=1e-3)
