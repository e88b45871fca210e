"""Lists of everyone that are refused: wrong input, other options than before, a damaged progress file."""

from pathlib import Path
from typing import Any

import pytest
from made_index import reviewer_id, write_index

from engine.errors import ConfigError, DataError, FilterError, SourceError, UnknownIdError
from pipelines.batch.recommend_all import recommend_all
from pipelines.batch.shards import PROGRESS, Shards


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_index(tmp_path_factory.mktemp("everyone") / "index", 300)


BEGUN: dict[str, Any] = {"k": 3, "shard_size": 100}


@pytest.fixture(scope="module")
def begun(index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lists that no test changes."""
    lists = tmp_path_factory.mktemp("begun") / "lists"
    recommend_all(index, lists, **BEGUN)
    return lists


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"k": 4}, "begun with k 3, not with k 4"),
        ({"shard_size": 50}, "shard_size 100"),
        ({"format": "csv"}, "format parquet"),
        ({"where": "price < 5"}, "options"),
        ({"reviewers": [reviewer_id(1)]}, "reviewers"),
    ],
)
def test_other_options_do_not_go_on_with_a_work(
    index: Path, begun: Path, changed: dict[str, Any], message: str
) -> None:
    before = sorted(path.name for path in begun.iterdir())
    with pytest.raises(ConfigError, match=message) as caught:
        recommend_all(index, begun, **(BEGUN | changed))
    assert "name another --output" in str(caught.value)
    assert sorted(path.name for path in begun.iterdir()) == before


@pytest.mark.parametrize("name", ["lists.xlsx", "lists.json", "lists.tsv", "lists.PARQUET"])
def test_an_ending_of_no_format_is_refused(index: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"ends with \.{name[6:]}; name a directory"):
        recommend_all(index, tmp_path / name, k=3)
    assert not list(tmp_path.iterdir())


def test_bad_input_is_refused_before_anything_is_written(index: Path, tmp_path: Path) -> None:
    (tmp_path / "who.txt").write_text("nobody\n")
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "things").mkdir()
    (tmp_path / "things" / "letter.txt").write_text("dear")
    (tmp_path / "notes.txt").write_text("notes")
    output = tmp_path / "lists"
    for options, error in (
        ({"k": 0}, ConfigError),
        ({"shard_size": 0}, ConfigError),
        ({"processes": -1}, ConfigError),
        ({"format": "xlsx"}, ConfigError),
        ({"where": "prise < 5"}, FilterError),
        ({"diversity": 7.0}, ConfigError),
        ({"show_variants": True}, ConfigError),
        ({"only": ["nothing"]}, UnknownIdError),
        ({"reviewers": tmp_path / "who.txt"}, UnknownIdError),
        ({"reviewers": tmp_path / "empty.txt"}, ConfigError),
        ({"reviewers": tmp_path / "absent.txt"}, SourceError),
    ):
        with pytest.raises(error):
            recommend_all(index, output, **options)  # type: ignore[arg-type]
        assert not output.exists()
    for place, message in (
        ("things", r"other things \(letter.txt\)"),
        ("notes.txt", "is a file"),
        ("absent/one.csv", "create it first"),
        ("notes.txt/lists", "Cannot write lists"),
    ):
        with pytest.raises((ConfigError, DataError), match=message):
            recommend_all(index, tmp_path / place)
    with pytest.raises(ConfigError, match="let them be the same"):
        recommend_all(index, tmp_path / "one.csv", format="parquet")


def test_a_damaged_progress_file_is_refused(index: Path, tmp_path: Path) -> None:
    recommend_all(index, tmp_path / "lists", k=3)
    for content in ("{", "[]", '{"format_version": 99, "shards": {}}'):
        (tmp_path / "lists" / PROGRESS).write_text(content)
        with pytest.raises(ConfigError, match="does not say how far"):
            recommend_all(index, tmp_path / "lists", k=3)


def test_two_works_do_not_write_to_one_directory(index: Path, tmp_path: Path) -> None:
    held = Shards(tmp_path / "lists", "csv", {}, [])
    with pytest.raises(DataError, match="Another process"):
        recommend_all(index, tmp_path / "lists", format="csv")
    held.close()
