import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

import pipelines
from engine.answers import TopList, Variety
from engine.artifact.writer import ArtifactWriter
from engine.cli.main import main
from engine.errors import FilterError, UnknownIdError


@dataclass(frozen=True)
class Item:
    rank: int
    movie_id: str
    title: str | None
    relevance: float = 1.5
    similarity: float = 0.5
    predicted_rating: float | None = 4.56
    like_probability: float | None = 0.934
    because: None = None
    variants: None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class FakeEngine:
    """Answers as the engine does, and remembers what it was asked."""

    asked: dict[str, Any]
    items: tuple[Item, ...] = (Item(1, "M1", "Laura"), Item(2, "two\nlines", None))

    @classmethod
    def load(cls, path: Path) -> "FakeEngine":
        cls.asked = {"path": path}
        return cls()

    def recommend(self, reviewer_id: str, k: int, **options: Any) -> list[Item]:
        self.asked.update(options, k=k)
        if reviewer_id == "nobody":
            raise UnknownIdError("reviewer", reviewer_id, "movie-index", ["somebody"])
        if reviewer_id == "interrupted":
            raise KeyboardInterrupt
        if options["where"] == "prise < 1":
            raise FilterError("no column\nof that name")
        return TopList(self.items[:k])

    def similar(self, movie_id: str, k: int, **options: Any) -> list[Item]:
        self.asked.update(options, k=k)
        return list(self.items[:k])

    def reviewer_ids(self, rows: list[int]) -> list[str]:
        return ["R1" for _ in rows]

    def title(self, movie_id: str) -> str | None:
        return "Gilda"


@pytest.fixture(autouse=True)
def _fake_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("engine.recommender.Engine", FakeEngine)
    monkeypatch.delenv("ENGINE_INDEX", raising=False)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_recommendations_are_a_table_for_people() -> None:
    result = run("recommend", "reviewer", "R1", "-k", "2")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "#  movie       title  stars  like",
        "1  M1          Laura    4.6   93%",
        "2  two\\nlines  -        4.6   93%",
    ]
    assert result.stderr == ""


def test_recommendations_are_json_for_programs() -> None:
    result = run("recommend", "reviewer", "R1", "-k", "1", "--where", "price < 1", "--include-seen", "--json")
    assert json.loads(result.stdout) == {
        "reviewer_id": "R1",
        "k": 1,
        "recommendations": [FakeEngine.items[0].to_dict()],
    }
    asked = {"path": Path("movie-index"), "k": 1, "where": "price < 1", "include_seen": True}
    assert asked.items() <= FakeEngine.asked.items()


def test_without_ratings_relevance_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    items = (Item(1, "M1", "Laura", predicted_rating=None, like_probability=None),)
    monkeypatch.setattr(FakeEngine, "items", items)
    result = run("recommend", "reviewer", "R1")
    assert result.stdout.splitlines()[0].split() == ["#", "movie", "title", "relevance"]
    assert result.stderr == "Only one movie can be listed.\n"


def test_similar_movies_name_the_movie_asked_for() -> None:
    assert "Like Gilda:" in run("similar", "movie", "M9").stderr
    result = run("similar", "movie", "M9", "-k", "2", "--json")
    assert json.loads(result.stdout) == {
        "movie_id": "M9",
        "title": "Gilda",
        "similar": [item.to_dict() for item in FakeEngine.items],
    }


def test_the_index_comes_from_the_option_then_the_environment_then_the_working_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run("similar", "movie", "M9")
    assert FakeEngine.asked["path"] == Path("movie-index")
    monkeypatch.setenv("ENGINE_INDEX", "from-environment")
    run("similar", "movie", "M9")
    assert FakeEngine.asked["path"] == Path("from-environment")
    run("similar", "movie", "M9", "--index", "from-option")
    assert FakeEngine.asked["path"] == Path("from-option")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["recommend", "reviewer", "nobody"], "did you mean 'somebody'?"),
        (["recommend", "reviewer", "R1", "--where", "prise < 1"], "Error: no column of that name\n"),
        (["info", "--index", "absent"], "There is no index at absent; build one with: engine build-index"),
        (["build-index", "x.json", "--set", "sed=1"], "did you mean 'seed'"),
        (["build-index", "x.json", "--threads", "-1"], "at least 0"),
        (["build-index", "x.json", "--config", "absent.toml"], "absent.toml"),
        (["build-index", "x.json", "--columns", "reviewer"], "a=b,c=d"),
        (["build-index", "x.json", "--input-format", "amazn"], "did you mean 'amazon'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_1(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert message in result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["recommend"],
        ["recommend", "reviewer"],
        ["recommend", "reviewer", "R1", "-k", "many"],
        ["build-index"],
        ["build-index", "x.json", "--sample"],
        ["prepare", "x.json"],
        ["nothing"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_an_interrupt_is_one_line_and_exit_code_130() -> None:
    result = run("recommend", "reviewer", "interrupted")
    assert result.exit_code == 130
    assert result.stderr.startswith("Error: Interrupted")


def test_options_become_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: dict[str, Any] = {}

    def build(reviews: tuple[Path, ...], **options: Any) -> SimpleNamespace:
        asked.update(options, reviews=reviews)
        return SimpleNamespace(manifest={"build": "build-1", "counts": {"movies": 1234}}, directory=tmp_path)

    monkeypatch.setattr(pipelines, "build_index", build, raising=False)
    (tmp_path / "recipe.toml").write_text("seed = 1\n[ingest]\nthreads = 3\nverified_only = true\n")
    result = run(
        *["build-index", "a.json", "b.json", "--metadata", "m.json", "--output", "out", "--seed", "7"],
        *["--config", "recipe.toml", "--set", "ingest.threads=5", "--since", "2018-01-01"],
        *["--columns", "reviewer=user,movie=item", "--where", "price < 10", "--allow-truncated"],
        *["--min-reviews-per-reviewer", "3", "--min-reviews-per-movie", "4", "--memory-limit", "1GB"],
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("kept      1,234 movies\n")
    assert asked["reviews"] == (Path("a.json"), Path("b.json"))
    assert (asked["metadata"], asked["output"]) == ((Path("m.json"),), Path("out"))
    config = asked["config"]
    assert config.seed == 7
    ingest = config.ingest
    assert (ingest.threads, ingest.verified_only, ingest.allow_truncated) == (5, True, True)
    assert (ingest.since, ingest.until, ingest.where) == ("2018-01-01", None, "price < 10")
    assert (ingest.min_reviews_per_reviewer, ingest.min_reviews_per_movie) == (3, 4)
    assert (ingest.columns, ingest.memory_limit) == ({"reviewer": "user", "movie": "item"}, "1GB")


def test_prepare_writes_the_table_and_says_what_became_of_every_row(tmp_path: Path) -> None:
    rows = ["user,item,stars", "R1,M1,5", "R1,M2,4", "R2,M1,3", "R2,M2,x", "R2,M2,2"]
    (tmp_path / "reviews.csv").write_text("\n".join(rows) + "\n")
    columns = "reviewer=user,movie=item,rating=stars"
    result = run(
        "prepare", "reviews.csv", "--columns", columns, "--output", "out.csv", "--rejected", "bad.parquet"
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("5 rows read = 4 kept + 0 duplicate + 0 filtered + 1 rejected")
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 5
    assert (tmp_path / "bad.parquet").is_file()
    result = run("prepare", "reviews.csv", "--columns", columns, "--output", "out.csv", "--json")
    assert json.loads(result.stdout)["accounting"]["kept"] == 4
    result = run("prepare", "absent.csv", "--output", "out.csv")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "absent.csv" in result.stderr


def test_the_sample_is_built_from_its_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: dict[str, Any] = {}

    def build(reviews: tuple[Path, ...], **options: Any) -> SimpleNamespace:
        asked.update(options, reviews=reviews)
        return SimpleNamespace(manifest={"build": "build-1"}, directory=tmp_path)

    monkeypatch.setattr(pipelines, "build_index", build, raising=False)
    assert run("build-index", "--sample").exit_code == 0
    assert [path.is_file() for path in (*asked["reviews"], *asked["metadata"])] == [True, True]
    assert asked["output"] == Path("movie-index")


@pytest.fixture
def index(tmp_path: Path) -> Path:
    with ArtifactWriter(tmp_path / "movie-index") as writer:
        writer.add_array("movie_vectors", np.ones((2, 2), dtype=np.float32))
        writer.add_section("metrics", {"ncf": {"ndcg@10": 0.19}, "popularity": {"ndcg@10": 0.1, "mae": 1.0}})
        writer.add_section("counts", {"num_movies": 1234, "levels": [1.0, 2.0], "cut": []})
        writer.add_section("files_read", [{"path": "a.json", "rows": 12}, {"path": "b.json", "rows": 3}])
    return writer.build_directory


def test_info_shows_what_the_index_says_of_itself(index: Path) -> None:
    result = run("info")
    assert result.exit_code == 0
    assert "  num movies: 1,234\n" in result.stdout
    assert "  ncf          0.1900       -\n  popularity   0.1000  1.0000\n" in result.stdout
    assert "levels: 1.0000, 2.0000\n  cut: -\n" in result.stdout
    assert "files read:\n  path    rows\n  a.json    12\n  b.json     3\n" in result.stdout
    assert json.loads(run("info", "--json").stdout)["counts"]["num_movies"] == 1234


def test_info_verifies_every_file(index: Path) -> None:
    result = run("info", "--verify")
    assert result.exit_code == 0
    assert "as it was written" in result.stderr
    assert json.loads(run("info", "--verify", "--json").stdout)["verified"] is True
    (index / "movie_vectors.npy").write_bytes(b"x")
    result = run("info", "--verify")
    assert result.exit_code == 1
    assert "vectors.npy" in result.stderr


def all_commands(command: click.Command) -> list[click.Command]:
    if not isinstance(command, click.Group):
        return [command]
    context = click.Context(command)
    children = [command.get_command(context, name) for name in command.list_commands(context)]
    return [command] + [found for child in children if child for found in all_commands(child)]


def test_every_command_and_option_is_explained() -> None:
    for command in all_commands(main):
        assert command.help, command.name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{command.name} {parameter.name}"


def test_the_command_line_imports_nothing_heavy_before_it_is_asked() -> None:
    script = (
        "import sys, engine.cli.main\n"
        "heavy = {'duckdb', 'tensorflow', 'keras', 'pandas', 'sklearn', 'matplotlib', 'rich', 'bs4'}\n"
        "heavy |= {'pipelines'}\n"
        "print(*(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "\n")


def test_what_there_is_to_say_of_a_list_goes_into_json_and_to_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    variety = Variety(diversity=0.5, novelty=0.0, score_loss=0.25, list_diversity=0.75, plain_diversity=0.5)
    varied = TopList(FakeEngine.items)
    varied.variety = variety
    monkeypatch.setattr(FakeEngine, "recommend", lambda *_, **options: varied)
    assert json.loads(run("recommend", "reviewer", "R1", "--json").stdout)["variety"] == asdict(variety)
    said = run("recommend", "reviewer", "R1", "-k", "2", "--diversity", "0.5").stderr
    assert said == "Variety took 0.25 off the mean score; diversity is 0.75 instead of 0.50.\n"
    empty = TopList()
    empty.why_empty = "No movie matches 'price < 0'"
    monkeypatch.setattr(FakeEngine, "recommend", lambda *_, **options: empty)
    result = run("recommend", "reviewer", "R1", "--json")
    assert (result.exit_code, json.loads(result.stdout)["why_empty"]) == (0, "No movie matches 'price < 0'")


def test_reindex_is_still_called_by_its_old_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def rebuild(index: Path, **options: Any) -> dict[str, Any]:
        asked.append((index, options))
        return {"build": "build-1", "search": {}, "audit": {}, "files": {}}

    monkeypatch.setattr("pipelines.updating.reindex.rebuild_index", rebuild)
    new, old = (run(name, "--kind", "flat", "--recall", "0.9", "--json") for name in ("reindex", "index"))
    assert (new.exit_code, old.exit_code) == (0, 0), old.output
    assert new.stdout == old.stdout
    assert (
        asked[0]
        == asked[1]
        == (Path("movie-index"), {"kind": "flat", "uri": None, "recall": 0.9, "keep": None})
    )
    assert "is called `engine reindex` now" in old.stderr
    assert "reindex" in run("--help").stdout
    assert "  index " not in run("--help").stdout


def test_movies_are_given_as_ids_and_as_files() -> None:
    Path("out-of-stock").write_bytes(b"\xef\xbb\xbfM1\r\n\r\nM2\r\n")
    run("recommend", "reviewer", "R1", "--only", "M3,M4", "--only", "M5", "--exclude", "out-of-stock")
    assert (FakeEngine.asked["only"], FakeEngine.asked["exclude"]) == (["M3", "M4", "M5"], ["M1", "M2"])
    result = run("recommend", "reviewer", "R1", "--exclude", "absent.txt")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Cannot read the movie ids in absent.txt: ")
