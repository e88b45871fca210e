"""The lists of everyone, held against asking for each, through kills and wrong input."""

import csv
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner
from made_index import NUM_MOVIES, movie_id, reviewer_id, write_index

from engine import Engine
from engine.cli.main import main
from engine.errors import ConfigError, DataError, UnknownIdError
from pipelines.batch import recommend_all as batch
from pipelines.batch.local_processes import ListProcess

recommend_all = partial(batch.recommend_all, processes=1)
"""Makes lists in one child process, which starts in half the time of two, where a test names no number."""

NUM_REVIEWERS = 300
COLUMNS = (
    *("reviewer_id", "rank", "movie_id", "title"),
    *("score", "relevance", "predicted_rating", "like_probability"),
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_index(tmp_path_factory.mktemp("everyone") / "index", NUM_REVIEWERS)


@pytest.fixture(scope="module")
def bare_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of data without ratings, where nobody looked for films."""
    directory = tmp_path_factory.mktemp("bare") / "index"
    return write_index(directory, 50, rated=False, films=False, num_candidates=20)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """What was written, in the order of the files."""
    first = next(path.glob("part-*")) if path.is_dir() else path
    pattern = path / f"part-*{first.suffix}" if path.is_dir() else path
    reader = {".parquet": "read_parquet", ".csv": "read_csv", ".jsonl": "read_json"}[first.suffix]
    result = duckdb.sql(f"select * from {reader}('{pattern}')")
    assert tuple(result.columns) == COLUMNS
    return [dict(zip(COLUMNS, row, strict=True)) for row in result.fetchall()]


def expected_lines(index: Path, ids: list[str], k: int, **options: Any) -> list[dict[str, Any]]:
    lists = Engine.load(index).recommend_many(ids, k, because=False, **options)
    return [
        {"reviewer_id": who, **{name: getattr(item, name) for name in COLUMNS[1:]}}
        for who, found in zip(ids, lists, strict=True)
        for item in found
    ]


def assert_same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    keys = ("reviewer_id", "rank", "movie_id", "title")
    assert [[line[key] for key in keys] for line in found] == [
        [line[key] for key in keys] for line in expected
    ]
    for name in COLUMNS[4:]:
        values = [line[name] for line in found]
        wanted = [line[name] for line in expected]
        if wanted and wanted[0] is None:
            assert set(values) == {None}
        else:
            np.testing.assert_allclose(values, wanted, atol=2e-4)


EVERYONE = [reviewer_id(row) for row in range(NUM_REVIEWERS)]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"all_variants": True},
        {"include_seen": True},
        {"where": "price < 5"},
        {"min_rating": 3.5, "diversity": 0.3},
        {"exclude": [movie_id(3), movie_id(50)]},
    ],
    ids=str,
)
def test_everyone_gets_the_list_that_asking_gives(
    index: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    processes = 1 if options else 2
    summary = recommend_all(index, tmp_path / "lists", k=7, shard_size=130, processes=processes, **options)
    found = lines_of(tmp_path / "lists")
    assert_same(found, expected_lines(index, EVERYONE, 7, **options))
    assert (summary["num_reviewers"], summary["num_rows"], summary["num_shards"]) == (300, len(found), 3)


def test_lists_are_as_long_as_there_are_movies(index: Path, tmp_path: Path) -> None:
    recommend_all(index, tmp_path / "lists", k=NUM_MOVIES, processes=1, all_variants=True)
    found = lines_of(tmp_path / "lists")
    assert sum(line["reviewer_id"] == EVERYONE[-1] for line in found) == 2
    assert sum(line["reviewer_id"] == EVERYONE[0] for line in found) == NUM_MOVIES


def test_data_without_ratings_leaves_their_columns_empty(bare_index: Path, tmp_path: Path) -> None:
    ids = [reviewer_id(row) for row in range(50)]
    for output in ("lists", "lists.csv", "lists.jsonl", "lists.parquet"):
        recommend_all(bare_index, tmp_path / output, k=30, shard_size=20)
        found = lines_of(tmp_path / output)
        assert_same(found, expected_lines(bare_index, ids, 30))
        assert {line["predicted_rating"] for line in found} == {None}


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_every_format_holds_the_same_lines_in_shards_and_in_one_file(
    index: Path, tmp_path: Path, ending: str
) -> None:
    recommend_all(index, tmp_path / "lists", k=5, shard_size=70, format=ending)
    recommend_all(index, tmp_path / f"one.{ending}", k=5, shard_size=70)
    assert len(list((tmp_path / "lists").glob(f"part-*.{ending}"))) == 5
    expected = expected_lines(index, EVERYONE, 5)
    assert_same(lines_of(tmp_path / "lists"), expected)
    assert_same(lines_of(tmp_path / f"one.{ending}"), expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lists", f"one.{ending}"]


def test_csv_has_one_header_and_json_lines_are_objects(index: Path, tmp_path: Path) -> None:
    recommend_all(index, tmp_path / "one.csv", k=2, shard_size=70)
    with (tmp_path / "one.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert tuple(rows[0]) == COLUMNS
    assert sum(tuple(row) == COLUMNS for row in rows) == 1
    recommend_all(index, tmp_path / "one.jsonl", k=2, shard_size=70)
    with (tmp_path / "one.jsonl").open(encoding="utf-8") as file:
        assert tuple(json.loads(next(file))) == COLUMNS


def test_only_some_reviewers_get_lists_in_the_order_they_are_named(index: Path, tmp_path: Path) -> None:
    named = [reviewer_id(row) for row in (250, 3, 77, 3, 9)]
    (tmp_path / "who.txt").write_text("\n".join(named) + "\n")
    recommend_all(index, tmp_path / "a.csv", k=3, reviewers=tmp_path / "who.txt", shard_size=2)
    recommend_all(index, tmp_path / "b.csv", k=3, reviewers=named, shard_size=3)
    expected = expected_lines(index, list(dict.fromkeys(named)), 3)
    assert_same(lines_of(tmp_path / "a.csv"), expected)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_a_second_call_of_finished_work_changes_nothing(index: Path, tmp_path: Path) -> None:
    recommend_all(index, tmp_path / "lists", k=3, shard_size=100)
    before = {path.name: path.read_bytes() for path in (tmp_path / "lists").iterdir()}
    again = recommend_all(index, tmp_path / "lists", k=3, shard_size=100)
    assert again["resumed_reviewers"] == again["num_reviewers"] == NUM_REVIEWERS
    assert {path.name: path.read_bytes() for path in (tmp_path / "lists").iterdir()} == before


def test_a_shard_that_is_gone_or_cut_short_is_written_again(index: Path, tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    recommend_all(index, lists, k=3, shard_size=50)
    before = {path.name: path.read_bytes() for path in lists.glob("part-*")}
    (lists / "part-00001.parquet").unlink()
    os.truncate(lists / "part-00003.parquet", 10)
    (lists / ".part-00004.parquet.999").write_bytes(b"left over")
    summary = recommend_all(index, lists, k=3, shard_size=50)
    assert summary["resumed_reviewers"] == NUM_REVIEWERS - 100
    assert {path.name: path.read_bytes() for path in lists.glob("part-*")} == before
    assert not list(lists.glob(".part-*"))


SLOW = """
import signal, sys, time
from pathlib import Path
from pipelines.batch import shards
from pipelines.batch.recommend_all import recommend_all

kept = shards.Shards.keep

def keep(self, *arguments):
    kept(self, *arguments)
    print("kept", flush=True)
    time.sleep(0.2)

shards.Shards.keep = keep
# A shell starts a process in the background with interrupts ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
recommend_all(Path(sys.argv[1]), Path(sys.argv[2]), k=4, shard_size=20, processes=2)
"""


@pytest.mark.parametrize("output", ["lists", "one.jsonl"])
def test_a_killed_work_goes_on_without_repeating_or_skipping_anybody(
    index: Path, tmp_path: Path, output: str
) -> None:
    """Killed at once, then after one shard more each time, until it ends by itself."""
    command = [sys.executable, "-c", SLOW, str(index), str(tmp_path / output)]
    kills = 0
    for num_kept in (1, 3, 5):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(num_kept):
                assert process.stdout.readline() == "kept\n"
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
    assert kills == 3
    assert output == "lists" or not (tmp_path / output).exists()
    summary = recommend_all(index, tmp_path / output, k=4, shard_size=20, processes=2)
    assert 0 < summary["resumed_reviewers"] < NUM_REVIEWERS
    assert summary["num_reviewers"] == NUM_REVIEWERS
    assert_same(lines_of(tmp_path / output), expected_lines(index, EVERYONE, 4))


def test_an_interrupt_ends_the_processes_too(index: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SLOW, str(index), str(tmp_path / "lists")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode != 0
    recommend_all(index, tmp_path / "lists", k=4, shard_size=20)
    assert_same(lines_of(tmp_path / "lists"), expected_lines(index, EVERYONE, 4))


def test_a_work_that_overwrites_goes_on_with_its_own_shards(index: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"k": 3, "shard_size": 100, "overwrite": True}
    recommend_all(index, tmp_path / "lists", k=2, shard_size=100)
    assert recommend_all(index, tmp_path / "lists", **given)["resumed_reviewers"] == 0
    min((tmp_path / "lists").glob("part-*")).unlink()
    assert recommend_all(index, tmp_path / "lists", **given)["resumed_reviewers"] == NUM_REVIEWERS - 100
    assert_same(lines_of(tmp_path / "lists"), expected_lines(index, EVERYONE, 3))


def test_the_lists_of_another_build_begin_afresh(tmp_path: Path) -> None:
    write_index(tmp_path / "index", 40)
    recommend_all(tmp_path / "index", tmp_path / "lists", k=3, shard_size=10)
    write_index(tmp_path / "index", 30, seed=1)
    summary = recommend_all(tmp_path / "index", tmp_path / "lists", k=3, shard_size=10)
    assert (summary["resumed_reviewers"], summary["num_reviewers"]) == (0, 30)
    ids = [reviewer_id(row) for row in range(30)]
    assert_same(lines_of(tmp_path / "lists"), expected_lines(tmp_path / "index", ids, 3))


def test_the_lists_of_some_reviewers_begin_afresh_too(tmp_path: Path) -> None:
    write_index(tmp_path / "index", 40)
    named = [reviewer_id(3), reviewer_id(1)]
    recommend_all(tmp_path / "index", tmp_path / "lists", k=3, reviewers=named)
    write_index(tmp_path / "index", 30, seed=1)
    recommend_all(tmp_path / "index", tmp_path / "lists", k=3, reviewers=named)
    assert_same(lines_of(tmp_path / "lists"), expected_lines(tmp_path / "index", named, 3))


def test_another_build_and_other_options_are_refused(tmp_path: Path) -> None:
    write_index(tmp_path / "index", 30)
    recommend_all(tmp_path / "index", tmp_path / "lists", k=3)
    write_index(tmp_path / "index", 30, seed=1)
    with pytest.raises(ConfigError, match="begun with"):
        recommend_all(tmp_path / "index", tmp_path / "lists", k=4)


def test_what_is_there_is_replaced_only_if_asked(index: Path, tmp_path: Path) -> None:
    for output in ("lists", "one.csv"):
        recommend_all(index, tmp_path / output, k=3, shard_size=100)
        before = lines_of(tmp_path / output)
        with pytest.raises(ConfigError, match="--overwrite"):
            recommend_all(index, tmp_path / output, k=2, shard_size=200)
        assert lines_of(tmp_path / output) == before
        recommend_all(index, tmp_path / output, k=2, shard_size=200, overwrite=True)
        assert_same(lines_of(tmp_path / output), expected_lines(index, EVERYONE, 2))


@pytest.mark.parametrize("options", [{}, {"where": "price < 5"}], ids=str)
def test_unknown_reviewers_get_the_popular_list_if_asked(
    index: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    named = ["nobody", reviewer_id(3), "stranger", reviewer_id(1), "somebody"]
    recommend_all(
        *(index, tmp_path / "a.jsonl"), k=3, reviewers=named, shard_size=2, fallback="popular", **options
    )
    expected = expected_lines(index, named, 3, fallback="popular", **options)
    assert_same(lines_of(tmp_path / "a.jsonl"), expected)
    with pytest.raises(UnknownIdError, match="nobody"):
        recommend_all(index, tmp_path / "b.jsonl", k=3, reviewers=named)
    with pytest.raises(ConfigError, match="fallback"):
        recommend_all(index, tmp_path / "b.jsonl", k=3, fallback="none")


def test_a_process_that_dies_is_one_sentence_and_the_work_goes_on(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for = ListProcess.wait_for

    def kill_first(process: ListProcess, name: str, on_lists: Any) -> int:
        if name == "written":
            process.kill()
        return wait_for(process, name, on_lists)

    with monkeypatch.context() as patched:
        patched.setattr(ListProcess, "wait_for", kill_first)
        with pytest.raises(DataError, match="give the same command again"):
            recommend_all(index, tmp_path / "lists", k=3, shard_size=20, processes=2)
    recommend_all(index, tmp_path / "lists", k=3, shard_size=20)
    assert_same(lines_of(tmp_path / "lists"), expected_lines(index, EVERYONE, 3))


def test_the_command_writes_and_says_what(index: Path, tmp_path: Path) -> None:
    words = ["recommend", "all", "--index", str(index), "--output", str(tmp_path / "lists.csv"), "-k", "2"]
    result = CliRunner().invoke(main, [*words, "--where", "year > 1960", "--json"])
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["num_reviewers"] == NUM_REVIEWERS
    assert_same(lines_of(tmp_path / "lists.csv"), expected_lines(index, EVERYONE, 2, where="year > 1960"))
    result = CliRunner().invoke(main, [*words, "--overwrite"])
    assert result.stdout.startswith(f"{2 * NUM_REVIEWERS:,} lines for 300 reviewers in")
    result = CliRunner().invoke(main, [*words[:4], "--output", str(tmp_path / "x"), "--format", "doc"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert CliRunner().invoke(main, ["recommend", "all"]).exit_code == 2
