"""Every command that answers prints in every format, shows the columns asked for, and fits a screen."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from made_index import movie_id, reviewer_id, write_index

from engine.cli.listing import FORMATS
from engine.cli.main import main

ASKED = {
    "recommendations": ["recommend", "reviewer", reviewer_id(7)],
    "ratings": ["recommend", "ratings", f"{movie_id(3)}=5"],
    "group": ["recommend", "group", reviewer_id(7), reviewer_id(8)],
    "reviewers": ["recommend", "movie", movie_id(3)],
    "similar movies": ["similar", "movie", movie_id(3)],
    "similar reviewers": ["similar", "reviewer", reviewer_id(7)],
    "predictions": ["predict", reviewer_id(7), movie_id(3), movie_id(4)],
    "movie": ["show", "movie", movie_id(3)],
    "reviewer": ["show", "reviewer", reviewer_id(7)],
}
Ask = Callable[..., Result]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_index(tmp_path_factory.mktemp("listing") / "index")


@pytest.fixture
def ask(index: Path) -> Ask:
    def ask(*words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--index", str(index)])

    return ask


@pytest.mark.parametrize("words", ASKED.values(), ids=ASKED)
def test_every_answer_comes_in_every_format(ask: Ask, words: list[str]) -> None:
    said = {format: ask(*words, "--format", format) for format in FORMATS}
    assert {format: one.exit_code for format, one in said.items()} == dict.fromkeys(FORMATS, 0)
    assert ask(*words, "--json").stdout == said["json"].stdout
    whole = json.loads(said["json"].stdout)
    lines = [json.loads(line) for line in said["jsonl"].stdout.splitlines()]
    lists = [value for value in whole.values() if isinstance(value, list) and value]
    assert lines == [whole] or lines in lists
    tables = {
        format: list(csv.DictReader(io.StringIO(said[format].stdout), dialect=dialect))
        for format, dialect in (("csv", "excel"), ("tsv", "excel-tab"))
    }
    assert tables["csv"] == tables["tsv"]
    assert len(tables["csv"]) == len(lines)
    for row, line in zip(tables["csv"], lines, strict=True):
        assert list(row) == list(line)
        for name, value in line.items():
            if isinstance(value, str):
                assert row[name] == value
            else:
                assert row[name] == ("" if value is None else json.dumps(value, ensure_ascii=False))
    assert "|---|" in said["markdown"].stdout
    assert max(map(len, said["table"].output.splitlines())) <= 80


def test_columns_that_were_asked_for_are_shown_in_every_format(ask: Ask) -> None:
    words = [*ASKED["recommendations"], "-k", "2", "--columns", "title,stars, year"]
    table = ask(*words).stdout.splitlines()
    assert table[0].split() == ["title", "stars", "year"]
    assert len(table) == 3
    first = json.loads(ask(*words, "--json").stdout)["recommendations"][0]
    assert list(first) == ["title", "predicted_rating", "year"]
    assert ask(*words, "--format", "csv").stdout.splitlines()[0] == "title,predicted_rating,year"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("titles", "no column 'titles'. Did you mean 'title'?"),
        ("xyzzy", "The columns are rank,"),
        (",", "names no"),
    ],
)
def test_a_column_that_no_answer_has_is_wrong_usage(ask: Ask, columns: str, said: str) -> None:
    result = ask(*ASKED["recommendations"], "--columns", columns)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_card_names_everything_known_of_a_movie(ask: Ask) -> None:
    said = ask(*ASKED["recommendations"], "-k", "2", "--card").stdout
    first = json.loads(ask(*ASKED["recommendations"], "-k", "1", "--json").stdout)["recommendations"][0]
    card = said.split("\n\n")[0]
    assert card.startswith(f"1. {first['title']}\n")
    for fact in (
        f"{first['predicted_rating']:.1f} stars predicted",
        f"{first['like_probability']:.0%} like",
        "3.5 on average",
        f"price {first['price']:.2f}",
        str(first["year"]),
        first["movie_id"],
        "because of ",
    ):
        assert fact in card
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize(
    "words",
    [
        ["-k", "0"],
        ["-k", "abc"],
        ["-k", "-1"],
        ["--format", "xml"],
        ["--json", "--format", "csv"],
        ["--diversity", "7"],
        ["--diversity", "x"],
        ["--fallback", "none"],
    ],
)
def test_a_wrong_option_is_wrong_usage(ask: Ask, words: list[str]) -> None:
    assert ask(*ASKED["recommendations"], *words).exit_code == 2


@pytest.mark.parametrize(("typed", "meant"), [("recommends", "recommend"), ("build_index", "build-index")])
def test_a_mistyped_command_is_answered_with_the_nearest_one(typed: str, meant: str) -> None:
    result = CliRunner().invoke(main, [typed])
    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.stderr


@pytest.mark.parametrize("words", [["recommend", "movie"], ["similar", "movie"], ["show", "movie"]])
def test_a_movie_is_asked_for_by_its_title_too(ask: Ask, words: list[str]) -> None:
    assert ask(*words, "--title", "film 3").stdout == ask(*words, movie_id(3)).stdout


def test_movies_are_rated_by_their_titles_too(ask: Ask) -> None:
    by_title = ask("recommend", "ratings", f"{movie_id(9)}=2", "--title", "film 3=5", "--json").stdout
    assert by_title == ask("recommend", "ratings", f"{movie_id(9)}=2", f"{movie_id(3)}=5", "--json").stdout


def test_a_rating_is_predicted_for_a_title_too(ask: Ask) -> None:
    by_title = ask("predict", reviewer_id(7), "--title", "film 3").stdout
    assert by_title == ask("predict", reviewer_id(7), movie_id(3)).stdout
    assert ask("predict", reviewer_id(7)).exit_code == 2
