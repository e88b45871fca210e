"""What a build is said to take, held against what files hold and against limits that are too small."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from engine.cli.main import main
from engine.config.sections import Config, IngestConfig, load_config
from engine.errors import ConfigError, SourceError
from pipelines import build_index
from pipelines.building import plan
from pipelines.building.plan import COSTS, check_plan, memory_limit, plan_build
from pipelines.building.survey import Survey, grown, survey
from pipelines.synthetic.sample import sample_files

EVERYTHING = IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1)


def write_reviews(path: Path, number: int, *, reviewers: int = 400, movies: int = 80) -> Path:
    generator = np.random.default_rng(0)
    people, titles = generator.integers(0, reviewers, number), generator.integers(0, movies, number)
    lines = [f"R{who},M{what},{1 + who % 5},{1_400_000_000 + 86_400 * place}" for place, (who, what) in
             enumerate(zip(people.tolist(), titles.tolist(), strict=True))]  # fmt: skip
    text = "\n".join(["user,item,rating,time", *lines, ""])
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["reviews.csv", "reviews.csv.gz"])
def test_a_small_file_is_counted(tmp_path: Path, name: str) -> None:
    path = write_reviews(tmp_path / name, 5_000)
    found = survey([path], [], EVERYTHING)
    assert (found.num_reviews, found.num_reviewers, found.num_movies) == (5_000, 400, 80)
    assert found.num_bytes == path.stat().st_size
    assert found.seconds_a_megabyte > 0


@pytest.mark.parametrize("name", ["reviews.csv", "reviews.csv.gz"])
def test_a_large_file_is_told_from_its_beginning(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_reviews(tmp_path / name, 60_000)
    plain = len(gzip.decompress(path.read_bytes())) if path.suffix == ".gz" else path.stat().st_size
    monkeypatch.setattr("pipelines.building.survey._SAMPLE", 100_000)
    monkeypatch.setattr("pipelines.building.survey._PLAIN_SAMPLE", 300_000)
    found = survey([path], [], EVERYTHING)
    assert found.num_reviews == pytest.approx(60_000, rel=0.05)
    assert found.num_plain_bytes == pytest.approx(plain, rel=0.05)
    assert 400 <= found.num_reviewers <= 440
    assert 80 <= found.num_movies <= 84


def test_files_add_up_and_movie_files_bound_the_movies(tmp_path: Path) -> None:
    files = sample_files()
    one = survey([files.reviews], [files.metadata], EVERYTHING)
    two = survey([files.reviews, files.reviews], [files.metadata], EVERYTHING)
    assert two.num_reviews == 2 * one.num_reviews
    with gzip.open(files.metadata, "rt", encoding="utf-8") as file:
        num_lines = sum(1 for _ in file)
    assert one.num_movies <= num_lines
    assert two.num_movies <= num_lines


def test_filters_by_day_make_it_less(tmp_path: Path) -> None:
    path = write_reviews(tmp_path / "reviews.csv", 4_000)
    half = replace(EVERYTHING, since="2019-11-01")
    assert 1_800 < survey([path], [], half).num_reviews < 2_200
    none = replace(EVERYTHING, until="1990-01-01")
    found = survey([path], [], none)
    assert (found.num_reviews, found.num_reviewers, found.num_movies) == (0, 0, 0)


@given(st.integers(0, 10_000), st.integers(1, 10_000), st.floats(1, 1e6))
def test_values_grow_no_faster_than_rows_and_never_shrink(first: int, more: int, times: float) -> None:
    whole = first + more
    assert whole <= grown(first, whole, times) * (1 + 1e-9)
    assert grown(first, whole, times) <= whole * times * (1 + 1e-9)


def test_a_plan_grows_with_what_there_is_and_with_the_settings(tmp_path: Path) -> None:
    few = write_reviews(tmp_path / "few.csv", 2_000)
    many = write_reviews(tmp_path / "many.csv", 20_000, reviewers=8_000, movies=2_000)
    small = plan_build([few], output=tmp_path / "index")
    large = plan_build([many], output=tmp_path / "index")
    wide = plan_build(
        [many], output=tmp_path / "index", config=load_config(assignments=("relevance.embedding_dim=256",))
    )
    for name in ("reading", "training"):
        assert small.memory[name] <= large.memory[name] <= wide.memory[name]
    assert small.index_bytes < large.index_bytes < wide.index_bytes
    assert small.scratch_bytes < large.scratch_bytes
    assert small.faults == []
    assert not (tmp_path / "index").exists()


def tight(**limits: int) -> Any:
    def machine(output: Path) -> dict[str, int]:
        return {"memory": 10**15, "disk": 10**15, "cores": 2, **limits}

    return machine


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"memory": 100_000_000}, r"(training|reading) takes about \d+\.\d GB of memory, there are 0\.1 GB"),
        ({"disk": 1000}, r"take about .* GB of disk, there are 0\.0 GB free"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int], message: str
) -> None:
    path = write_reviews(tmp_path / "reviews.csv", 5_000)
    monkeypatch.setattr(plan, "SMALL", 10)
    monkeypatch.setattr(plan, "_machine", tight(**limits))
    with pytest.raises(ConfigError, match=message) as caught:
        build_index([path], output=tmp_path / "index")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "index").exists()
    result = CliRunner().invoke(main, ["plan", str(path), "--output", str(tmp_path / "index")])
    assert result.exit_code == 0
    assert "\nIt does not fit: " in result.stdout


def test_small_files_and_conditions_are_not_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_reviews(tmp_path / "reviews.csv", 500)
    monkeypatch.setattr(plan, "_machine", tight(memory=1))
    check_plan([path], output=tmp_path / "index")
    monkeypatch.setattr(plan, "SMALL", 10)
    check_plan([path], output=tmp_path / "index", config=Config(ingest=IngestConfig(where="rating > 3")))
    with pytest.raises(ConfigError, match="does not fit"):
        check_plan([path], output=tmp_path / "index")


def test_the_memory_of_a_control_group_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = memory_limit()
    assert whole > 10**8
    for text, expected in (("123456789\n", 123_456_789), ("max\n", None), ("9" * 19, None)):
        (tmp_path / "limit").write_text(text)
        monkeypatch.setattr(plan, "_CGROUP_LIMITS", (str(tmp_path / "absent"), str(tmp_path / "limit")))
        assert memory_limit() == expected or expected is None
        assert memory_limit() <= max(whole, memory_limit())


def test_bad_files_are_refused_as_a_build_refuses_them(tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "odd.txt").write_text("what is this\n")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 but no more")
    for name in ("absent.json", "empty.json", "odd.txt", "broken.parquet"):
        with pytest.raises(SourceError):
            plan_build([tmp_path / name], output=tmp_path / "index")
        result = CliRunner().invoke(main, ["plan", str(tmp_path / name)])
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.count("\n") == 1


def test_a_truncated_file_is_planned_by_what_can_be_read(tmp_path: Path) -> None:
    path = write_reviews(tmp_path / "reviews.csv.gz", 20_000)
    path.write_bytes(path.read_bytes()[:-200])
    assert survey([path], [], EVERYTHING).num_reviews == pytest.approx(20_000, rel=0.1)


def test_the_command_prints_a_table_or_json(tmp_path: Path) -> None:
    files = sample_files()
    words = ["plan", str(files.reviews), "--metadata", str(files.metadata)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert "about 6,4" in result.stdout
    assert result.stdout.splitlines()[-1] == "It fits."
    found = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert found["fits"] is True
    assert found["memory"]["peak"] >= COSTS.process / 2
    assert found["seconds"]["total"] == pytest.approx(
        sum(found["seconds"][name] for name in ("reading", "training", "indexing"))
    )
    assert CliRunner().invoke(main, ["plan"]).exit_code == 2


@pytest.mark.parametrize(
    ("times", "engine", "workers"),
    [(1, "this machine", 2), (10, "Ray", 3), (100, "Ray", 27), (1000, "Ray", 266)],
)
def test_a_plan_names_the_engine_of_each_part(
    monkeypatch: pytest.MonkeyPatch, times: int, engine: str, workers: int
) -> None:
    """The sizes are those of the full synthetic set, and of sets that are 10 to 1000 times as large."""
    files = Survey(
        num_bytes=1_680_000_000 * times,
        num_plain_bytes=6_000_000_000 * times,
        num_reviews=8_765_568 * times,
        num_reviewers=3_826_085 * times,
        num_movies=round(182_032 * times**0.4),
        seconds_a_megabyte=0.02,
    )
    monkeypatch.setattr(plan, "_machine", tight(memory=24 * 10**9))
    monkeypatch.setattr(plan, "_calibrate", lambda: 1.25 * COSTS.calibration)
    planned = plan._plan(files, Path(), Config())
    parts = {part.name: part for part in planned.parts}
    assert parts["reading"].engine == ("this machine" if times < 100 else "Ray")
    assert parts["reading"].seconds <= planned.seconds["reading"]
    assert parts["training"].engine == ("this machine" if times == 1 else "a larger machine")
    assert parts["training"].memory == planned.memory["training"]
    assert parts["candidates"].engine == "FAISS"
    lists = parts["lists of everyone"]
    assert (lists.engine, lists.workers) == (engine, workers)
    assert lists.seconds <= 3_600
    assert all(part.workers >= 1 and part.seconds > 0 and part.why for part in planned.parts)


def test_many_movies_go_to_a_vector_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_calibrate", lambda: COSTS.calibration)
    files = Survey(
        num_bytes=1,
        num_plain_bytes=1,
        num_reviews=10**9,
        num_reviewers=10**6,
        num_movies=10**8,
        seconds_a_megabyte=1,
    )
    few = replace(files, num_movies=1_000)
    for sizes, setting, engine, nodes in (
        (files, "index.kind=auto", "Milvus", 2),
        (few, "index.kind=milvus", "Milvus", 1),
        (few, "index.kind=auto", "FAISS", 1),
        (replace(few, num_movies=50_000), "index.memory_limit=1MB", "Milvus", 1),
    ):
        candidates = plan._plan(sizes, Path(), load_config(assignments=(setting,))).parts[-1]
        assert (candidates.name, candidates.engine, candidates.workers) == ("candidates", engine, nodes)


def test_a_plan_for_files_that_go_on_as_they_begin(tmp_path: Path) -> None:
    path = write_reviews(tmp_path / "reviews.csv", 2_000, reviewers=1_500, movies=200)
    once, often = (plan_build([path], output=tmp_path / "index", times=times).files for times in (1, 50))
    assert often.num_reviews == 50 * once.num_reviews
    assert often.num_bytes == 50 * once.num_bytes
    assert once.num_reviewers < often.num_reviewers < 50 * once.num_reviewers
    shown = CliRunner().invoke(main, ["plan", str(path), "--times", "50"])
    assert f"about {often.num_reviews:,} reviews" in shown.stdout
    assert "lists of everyone" in shown.stdout


@pytest.mark.parametrize("times", [0.5, float("nan"), float("inf")])
def test_a_plan_for_less_than_the_files_is_refused(tmp_path: Path, times: float) -> None:
    path = write_reviews(tmp_path / "reviews.csv", 200)
    with pytest.raises(ConfigError, match="times must be at least 1"):
        plan_build([path], output=tmp_path / "index", times=times)
