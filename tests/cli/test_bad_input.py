"""Whatever the command line is given: one clear sentence, exit code 1, and the index that was there stays."""

import errno
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner

from engine import Engine
from engine.cli.main import main

# Of the bundled sample.
REVIEWER, MOVIE = "A3ROS56ZKFSSN", "B000000016"
QUICK = (
    *("--set", "relevance.max_rounds=1", "--set", "rating.max_rounds=1", "--set", "relevance.num_members=1"),
    *("--set", "report.baselines_up_to=0", "--set", "split.max_holdouts=1"),
)


def review(
    reviewer: object = "R1", movie: object = "M1", rating: object = 5.0, time: int = 1_500_000_000
) -> dict[str, Any]:
    return {"reviewerID": reviewer, "asin": movie, "overall": rating, "unixReviewTime": time}


def as_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def everyone_reviews(reviewers: list[str], movies: list[str]) -> list[dict[str, Any]]:
    """Every reviewer has reviewed most movies, with all ratings from 1 to 5 among them."""
    return [
        review(reviewer, movie, float(1 + (i + j) % 5), 1_500_000_000 + 1000 * i + j)
        for i, reviewer in enumerate(reviewers)
        for j, movie in enumerate(movies)
        if (i + 2 * j) % 5
    ]


GOOD = everyone_reviews([f"R{i}" for i in range(20)], [f"M{j}" for j in range(10)])


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


class Standing(NamedTuple):
    """An index that is in place before something goes wrong, in a directory of its own."""

    index: Path

    def refuses(self, *arguments: str | Path, code: int = 1) -> str:
        """Runs a command that must fail without a trace; gives what it said."""
        before = contents(self.index)
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == code, result.output
        assert isinstance(result.exception, SystemExit)
        assert result.stdout == ""
        sentence = result.stderr.splitlines()[-1]
        assert sentence.startswith("Error: ")
        assert "Traceback" not in result.stderr
        assert contents(self.index) == before
        return sentence

    def refuses_to_build(self, *arguments: str | Path) -> str:
        return self.refuses("build-index", *arguments, "--output", self.index, *QUICK)


@pytest.fixture
def standing(sample_index: Path, tmp_path: Path) -> Standing:
    return Standing(Path(shutil.copytree(sample_index, tmp_path / "standing")))


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "reviews.json"
    path.write_text(as_lines(GOOD))
    return path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("\n \n\n", "nothing but blank lines"),
        ("Dear customer,\nplease find attached\n", "Cannot tell"),
        ('{"overall": 5.0,\n' * 40, "can be used"),
        ('{"name": "Laura", "age": 44}\n' * 40, "its columns are name, age; say it with --columns"),
        ("[1, 2, 3]\n" * 40, "write one JSON object a line"),
        ("a,b,c\n1,2,3\n", "--columns"),
        (as_lines([review(rating="good")] * 30), "None of the 30 rows"),
        (as_lines([review(reviewer=None), review(movie="")] * 9), "None of the 18 rows"),
        (as_lines([review(rating=float("nan")), review(rating=float("inf"))] * 9), "None of the 18 rows"),
        (as_lines([review(rating="NaN"), review(rating="Infinity")] * 9), "None of the 18 rows"),
        (as_lines([review(movie=f"M{j}", rating=j % 5) for j in range(30)]), "No review is left"),
        (as_lines([review(f"R{i}", rating=i % 5) for i in range(30)]), "No review is left"),
        (as_lines([{**row, "overall": 4.0} for row in GOOD]), "ratings are 4"),
    ],
    ids=[
        *["empty", "blank", "prose", "broken", "other", "lists", "columns", "words", "gaps", "nan", "texts"],
        *["one-reviewer", "one-movie", "equal"],
    ],
)
def test_what_is_no_usable_file_of_reviews(
    standing: Standing, tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "reviews"
    path.write_text(content)
    assert words in standing.refuses_to_build(path)


@pytest.mark.parametrize("who", ["reviewer", "movie"])
def test_one_reviewer_or_one_movie_is_too_little_even_where_one_review_each_would_do(
    standing: Standing, tmp_path: Path, who: str
) -> None:
    rows = [
        review(movie=f"M{i}", rating=i % 5) if who == "reviewer" else review(f"R{i}", rating=i % 5)
        for i in range(30)
    ]
    (tmp_path / "reviews.json").write_text(as_lines(rows))
    least = ("--min-reviews-per-reviewer", "1", "--min-reviews-per-movie", "1")
    assert who in standing.refuses_to_build(tmp_path / "reviews.json", *least)


def test_a_missing_file_an_empty_folder_and_a_binary_file(standing: Standing, tmp_path: Path) -> None:
    assert "There is no file" in standing.refuses_to_build(tmp_path / "absent.json")
    (tmp_path / "empty").mkdir()
    assert "holds no file" in standing.refuses_to_build(tmp_path / "empty")
    assert "Cannot tell the format" in standing.refuses_to_build(standing.index)
    (tmp_path / "image.json").write_bytes(bytes(range(256)) * 20)
    assert "not a text file" in standing.refuses_to_build(tmp_path / "image.json")


def test_a_truncated_file_says_how_much_could_be_read(standing: Standing, tmp_path: Path) -> None:
    packed = gzip.compress(as_lines(GOOD * 50).encode(), mtime=0)
    (tmp_path / "reviews.json.gz").write_bytes(packed[: len(packed) * 2 // 3])
    sentence = standing.refuses_to_build(tmp_path / "reviews.json.gz")
    assert "complete rows could be read" in sentence
    assert "--allow-truncated" in sentence


def test_bad_metadata(standing: Standing, good: Path, tmp_path: Path) -> None:
    assert "absent" in standing.refuses_to_build(good, "--metadata", tmp_path / "absent.json")
    (tmp_path / "metadata.json").write_text("no metadata\n")
    assert "metadata.json" in standing.refuses_to_build(good, "--metadata", tmp_path / "metadata.json")


CONDITIONS = [
    ("average_rating >", "is not a condition in SQL"),
    ("", "is empty"),
    ("prise < 10", "did you mean"),
    ("movie_id in (select 'M1')", "subquery"),
    ("exists (from read_text('/etc/hostname'))", "subquery"),
    ("read_text('/etc/hostname') is not null", "functions that read files"),
    ("getenv('HOME') = ''", "functions that read files"),
    ("true; drop table movies", "condition"),
    ("title < 3 and price = 'cheap'", "cannot be used"),
]


@pytest.mark.parametrize(("condition", "words"), CONDITIONS)
def test_a_bad_condition_when_building(standing: Standing, good: Path, condition: str, words: str) -> None:
    assert words in standing.refuses_to_build(good, "--where", condition)


@pytest.mark.parametrize(("condition", "words"), CONDITIONS)
def test_a_bad_condition_when_asking(standing: Standing, condition: str, words: str) -> None:
    for asked in (("recommend", "reviewer", REVIEWER), ("similar", "movie", MOVIE)):
        assert words in standing.refuses(*asked, "--index", standing.index, "--where", condition)


def test_a_condition_that_leaves_nothing_to_build_from(standing: Standing, good: Path) -> None:
    assert "No review is left" in standing.refuses_to_build(good, "--where", "rating > 100")


def test_unknown_ids(standing: Standing) -> None:
    at = ("--index", standing.index)
    assert "did you mean" in standing.refuses("recommend", "reviewer", REVIEWER[:-1], *at)
    for strange in ("", "x" * 10_000, "\n", "../..", "'; drop table movies"):
        assert "No movie" in standing.refuses("similar", "movie", strange, *at)
        assert "No reviewer" in standing.refuses("recommend", "reviewer", strange, *at)


def test_k_must_be_positive(standing: Standing) -> None:
    for k in ("0", "-1"):
        assert "-k must be at least 1" in standing.refuses(
            *("recommend", "reviewer", REVIEWER, "-k", k, "--index", standing.index), code=2
        )


def test_a_k_beyond_the_catalogue_lists_it_all(standing: Standing) -> None:
    num_movies = Engine.load(standing.index).num_movies
    asked = ["--index", str(standing.index), "-k", "1000000", "--json", "--all-variants"]
    result = CliRunner().invoke(main, ["recommend", "reviewer", REVIEWER, "--include-seen", *asked])
    listed = json.loads(result.stdout)["recommendations"]
    assert len({item["movie_id"] for item in listed}) == len(listed) == num_movies
    result = CliRunner().invoke(main, ["similar", "movie", MOVIE, *asked])
    assert len(json.loads(result.stdout)["similar"]) == num_movies - 1


def test_an_index_of_another_format_version(standing: Standing) -> None:
    [manifest] = standing.index.glob("*/manifest.json")
    manifest.write_text(manifest.read_text().replace('"format_version": 1', '"format_version": 99'))
    sentence = standing.refuses("info", "--index", standing.index)
    assert "format version 99" in sentence
    assert "engine build-index" in sentence


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x40
    path.write_bytes(content)


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("damage", [Path.unlink, truncate, flip_a_byte], ids=lambda damage: damage.__name__)
def test_a_damaged_index(sample_index: Path, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    names = [name for name in contents(sample_index) if not Path(name).name.endswith("lock")]
    assert len(names) > 5
    for number, name in enumerate(names):
        index = Path(shutil.copytree(sample_index, tmp_path / str(number)))
        damage(index / name)
        sentence = Standing(index).refuses("recommend", "reviewer", REVIEWER, "--index", index)
        expected = "There is no index" if name == "CURRENT" and damage is Path.unlink else "is damaged"
        assert expected in sentence, name


def test_places_where_no_index_can_be(standing: Standing, good: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    build = ("build-index", good, *QUICK, "--output")
    assert "it is a file" in standing.refuses(*build, tmp_path / "file")
    assert "it holds other things (thesis.txt)" in standing.refuses(*build, tmp_path / "other")
    assert (tmp_path / "other" / "thesis.txt").read_text() == "mine"


def test_a_disk_that_is_nearly_full(standing: Standing, good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: shutil._ntuple_diskusage(1000, 999, 1))
    assert "are free" in standing.refuses_to_build(good)


def test_an_output_that_is_read_only(standing: Standing, good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("engine.artifact.writer.tempfile.TemporaryFile", refuse)
    assert "read-only file system" in standing.refuses_to_build(good)


def test_a_disk_that_fills_up_while_the_index_is_written(
    standing: Standing, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "save", refuse)
    assert "the disk is full" in standing.refuses_to_build(good)


def test_a_build_that_is_killed_leaves_the_index_as_it_was(standing: Standing, good: Path) -> None:
    before = contents(standing.index)
    script = """
import os, signal, sys
from engine.artifact.writer import ArtifactWriter
from engine.cli.main import main
ArtifactWriter._publish = lambda writer: os.kill(os.getpid(), signal.SIGKILL)
main(sys.argv[1:])
"""
    command = [
        sys.executable,
        "-c",
        script,
        "build-index",
        str(good),
        "--output",
        str(standing.index),
        *QUICK,
    ]
    killed = subprocess.run(command, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = contents(standing.index)
    assert {name: left[name] for name in before} == before
    assert any(name.startswith(".partial-") for name in left)
    assert CliRunner().invoke(main, ["info", "--index", str(standing.index), "--verify"]).exit_code == 0


def test_ids_may_be_long_or_in_any_script_or_hold_line_breaks(tmp_path: Path) -> None:
    strange = ["x" * 10_000, "Zoë", "日本語", "🎬", "two\nlines", "a\tb", 'it\'s "quoted"', "-k", "null"]
    rows = everyone_reviews([f"r{word}" for word in strange], [f"m{word}" for word in strange])
    (tmp_path / "reviews.json").write_text(as_lines(rows))
    index = tmp_path / "index"
    built = CliRunner().invoke(
        main, ["build-index", str(tmp_path / "reviews.json"), "--output", str(index), *QUICK]
    )
    assert built.exit_code == 0, built.output
    for word in strange:
        asked = ["--index", str(index), "-k", "3"]
        answer = CliRunner().invoke(main, ["recommend", "reviewer", *asked, "--json", "--", f"r{word}"])
        assert answer.exit_code == 0, answer.output
        assert json.loads(answer.stdout)["reviewer_id"] == f"r{word}"
        answer = CliRunner().invoke(main, ["similar", "movie", *asked, "--json", "--", f"m{word}"])
        found = json.loads(answer.stdout)
        assert found["movie_id"] == f"m{word}"
        assert {item["movie_id"] for item in found["similar"]} < {f"m{word}" for word in strange}
        table = (
            CliRunner().invoke(main, ["similar", "movie", *asked, "--no-because", "--", f"m{word}"]).stdout
        )
        assert len(table.split("\n\n")[0].splitlines()) == 4  # Wide ids move columns to another block.


def test_a_few_ratings_that_are_not_finite_are_rejected_and_counted(tmp_path: Path) -> None:
    rows = [*GOOD, review(rating=float("nan")), review(rating=float("inf")), review(rating=float("-inf"))]
    (tmp_path / "reviews.json").write_text(as_lines(rows))
    built = CliRunner().invoke(
        main,
        ["build-index", str(tmp_path / "reviews.json"), "--output", str(tmp_path / "i"), *QUICK, "--json"],
    )
    assert built.exit_code == 0, built.output
    accounting = json.loads(built.stdout)["accounting"]
    assert accounting["read"] == len(rows)
    assert sum(accounting["rejected_by"].values()) == 3
