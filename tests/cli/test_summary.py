"""A build ends in ten lines that fit a screen, and `engine info` shows the rest and splits no number."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from made_index import write_index

from engine.cli.main import main
from engine.cli.summary import print_build, print_index

COUNTS = {"reviews": 99_859_123, "reviewers": 943_123, "movies": 541_123, "cold_movies": 141_123}
FIGURES: dict[str, dict[str, float]] = {
    "ncf": {"ndcg@10": 0.2325, "recall@10": 0.2555, "mrr@10": 0.3959, "mae": 0.7054, "rmse": 0.9566},
    "popularity": {"ndcg@10": 0.098, "recall@10": 0.1053, "mrr@10": 0.1984},
    "constant": {"mae": 1.0236, "rmse": 1.2091},
    "item-knn": {"ndcg@10": 0.1933, "recall@10": 0.1779, "mrr@10": 0.2797},
    "biases": {"ndcg@10": 0.0512, "recall@10": 0.0622, "mae": 0.7947, "rmse": 0.9984},
}
MANIFEST: dict[str, Any] = {
    "build": "build-20261130T103130-3aaedb",
    "accounting": {
        "read": 99_999_999,
        "kept": 99_859_123,
        "duplicate": 0,
        "filtered": 140_876,
        "rejected": 0,
    },
    "counts": COUNTS,
    "audit": {"recall": 0.9998, "floor": 0.99},
    "metrics": FIGURES,
    "baselines": {"left_out": "EASE was left out, because there are very many movies in this index."},
    "training": {"curves": {"relevance": {"loss": [6.0 - number / 40 for number in range(60)]}}},
    "model": {"rating_levels": [0.5 + number / 2 for number in range(10)]},
}


def test_a_build_ends_in_ten_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_build(MANIFEST, Path("movie-index"), "A3ROS56ZKFSSN")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert max(map(len, lines)) <= 80
    said = dict(line.split(maxsplit=1) for line in lines)
    assert said["verdict"] == "Lists are 2.4 times as good as popularity, 20% better than item-knn."
    assert said["next"] == "engine recommend reviewer A3ROS56ZKFSSN"
    assert said["report"] == "movie-index/build-20261130T103130-3aaedb/report.html"


def test_the_next_command_can_be_typed_whatever_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    print_build(MANIFEST, Path("my index"), "-a b")
    assert "engine recommend reviewer --index 'my index' -- '-a b'\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "figures",
    [
        {},
        {"ncf": {"mae": 0.7, "rmse": 0.9}, "popularity": {}},
        {"ncf": {"ndcg@10": None, "mae": 0.7}, "popularity": {"ndcg@10": None}, "biases": {"ndcg@10": None}},
    ],
)
def test_a_build_that_could_not_measure_its_lists_says_so(
    capsys: pytest.CaptureFixture[str], figures: dict[str, dict[str, float | None]]
) -> None:
    print_build({**MANIFEST, "metrics": figures}, Path("movie-index"), "R1")
    assert "Too few reviews are held out" in capsys.readouterr().out


def test_no_line_of_info_is_longer_than_a_screen_and_no_number_is_split(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_index(MANIFEST)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    for row in FIGURES.values():
        assert all(f"{figure:.4f}" in out.split() for figure in row.values())
    assert "60 numbers, from 6.0000 to 4.5250" in out
    assert "EASE was left out" in out


def test_info_comes_in_every_format(tmp_path: Path) -> None:
    index = str(write_index(tmp_path / "index"))

    def info(format: str) -> str:
        result = CliRunner().invoke(main, ["info", "--index", index, "--format", format])
        assert result.exit_code == 0
        return result.stdout

    whole = json.loads(info("json"))
    assert json.loads(info("jsonl")) == whole
    assert f"counts.movies,{whole['counts']['movies']}" in info("csv").splitlines()
    assert f"counts.movies\t{whole['counts']['movies']}" in info("tsv").splitlines()
    assert f"| counts.movies | {whole['counts']['movies']} |" in info("markdown").splitlines()
    assert info("table").startswith("kept ")
