"""Movies added to an index by their metadata: a new version that answers, and nothing half-written."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from made_index import NUM_MOVIES, movie_id, write_cold_start, write_index

from engine import Engine
from engine.artifact.reader import Artifact
from engine.cli.main import main
from engine.errors import ArtifactError, DataError, SourceError
from pipelines.updating.movies import add_movies

NEW = "M0003x"
LINES: list[dict[str, Any]] = [
    {"asin": NEW, "title": "Film 3 again (1999)", "category": ["Drama"], "price": "$4.50"},
    {
        "asin": "A-first",
        "title": "Before all others",
        "description": ["Old", "and new."],
        "also_view": [movie_id(9)],
    },
    {"asin": "zz-last", "brand": "Studio"},
    {"asin": movie_id(5), "title": "Film five, renamed", "category": ["Crime"]},
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index that says nothing of metadata."""
    return write_index(tmp_path_factory.mktemp("plain") / "index", 60)


@pytest.fixture(scope="module")
def prepared(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with what its movies' metadata taught."""
    directory = tmp_path_factory.mktemp("cold") / "index"
    shutil.copytree(plain, directory)
    write_cold_start(directory)
    return directory


@pytest.fixture
def index(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "index"))


def write_lines(path: Path, lines: list[Any]) -> Path:
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


@pytest.fixture
def metadata(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "meta.json", LINES)


def test_every_line_is_accounted_for(index: Path, tmp_path: Path) -> None:
    file = write_lines(
        tmp_path / "meta.json",
        [*LINES, "", "no json", LINES[0], {"asin": "empty"}, {"title": "No id"}, {"asin": movie_id(5)}],
    )
    assert add_movies([file], index=index)["movies_added"] == {
        "read": 9,
        "added": 3,
        "known": 1,
        "repeated": 2,
        "rejected": 3,
        "rejected_by": {
            "no movie id": 1,
            "not a JSON object": 1,
            "no title, category, brand or description": 1,
        },
    }


def test_new_movies_are_answered_and_marked_and_old_ones_are_as_before(index: Path, metadata: Path) -> None:
    before = Engine.load(index)
    add_movies([metadata], index=index)
    after = Engine.load(index)
    assert after.num_movies == NUM_MOVIES + 3
    assert after.info()["counts"]["cold_movies"] == 3
    listed = after.recommend("R00003", NUM_MOVIES + 3, include_seen=True, all_variants=True)
    assert {item.movie_id for item in listed if item.cold} == {NEW, "A-first", "zz-last"}
    warm = after.recommend("R00003", NUM_MOVIES, include_seen=True, all_variants=True, no_cold=True)
    old = before.recommend("R00003", NUM_MOVIES, include_seen=True, all_variants=True)
    assert [item.movie_id for item in warm] == [item.movie_id for item in old]
    np.testing.assert_allclose([item.score for item in warm], [item.score for item in old], atol=1e-4)
    for reviewer_id in ("R00001", "R00020"):
        one, other = (engine.predict([reviewer_id], [movie_id(8)]) for engine in (before, after))
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)


def test_what_is_shown_of_a_movie_that_is_there_is_refreshed_not_doubled(index: Path, metadata: Path) -> None:
    add_movies([metadata], index=index)
    engine = Engine.load(index)
    assert engine.title(movie_id(5)) == "Film five, renamed"
    [item] = engine.recommend("R00000", where="title = 'Film five, renamed'", all_variants=True)
    assert (item.movie_id, item.card["price"], item.card["category"], item.cold) == (
        movie_id(5),
        5.0,
        "Crime",
        False,
    )


def test_nothing_keeps_the_old_number_of_rows(index: Path, metadata: Path) -> None:
    add_movies([metadata], index=index)
    artifact = Artifact.open(index)
    artifact.verify()
    for name in artifact.manifest["files"]:
        if name.endswith(".npy"):
            length = len(artifact.array(name.removesuffix(".npy")))
            assert length not in (NUM_MOVIES, NUM_MOVIES + 1), name
    assert artifact.array("movie_is_cold").sum() == 3


def test_similar_movies_are_found_for_new_ones_and_among_them(index: Path, metadata: Path) -> None:
    add_movies([metadata], index=index)
    engine = Engine.load(index)
    assert len(engine.similar("A-first", 5)) == 5
    every = engine.similar(movie_id(9), NUM_MOVIES + 5)
    assert {movie.movie_id for movie in every if movie.cold} == {NEW, "A-first", "zz-last"}
    warm = engine.similar("A-first", NUM_MOVIES + 5, no_cold=True)
    others = [movie.movie_id for movie in engine.similar("A-first", NUM_MOVIES + 5) if not movie.cold]
    assert [movie.movie_id for movie in warm] == others


def test_adding_again_changes_no_answer(index: Path, metadata: Path) -> None:
    add_movies([metadata], index=index)
    first = Engine.load(index).recommend("R00007", 50)
    account = add_movies([metadata], index=index)["movies_added"]
    assert (account["added"], account["known"]) == (0, 4)
    again = Engine.load(index).recommend("R00007", 50)
    assert [item.movie_id for item in again] == [item.movie_id for item in first]
    assert Engine.load(index).info()["counts"]["cold_movies"] == 3


def test_files_one_by_one_or_together_hold_the_same_movies(index: Path, tmp_path: Path) -> None:
    files = [write_lines(tmp_path / f"{number}.json", [line]) for number, line in enumerate(LINES)]
    other = Path(shutil.copytree(index, tmp_path / "other"))
    add_movies(files, index=index)
    for file in files:
        add_movies([file], index=other)
    together, apart = Engine.load(index), Engine.load(other)
    assert [item.movie_id for item in together.recommend("R00011", 30)] == [
        item.movie_id for item in apart.recommend("R00011", 30)
    ]


@pytest.mark.parametrize("dirt", ["\ufeff", "\r\n\r\n"])
def test_a_byte_order_mark_and_blank_lines_do_no_harm(index: Path, tmp_path: Path, dirt: str) -> None:
    file = tmp_path / "meta.json"
    file.write_text(dirt + json.dumps(LINES[1]) + "\r\n\r\n", encoding="utf-8", newline="")
    assert add_movies([file], index=index)["movies_added"]["added"] == 1


def test_an_index_without_metadata_says_so_and_stays(plain: Path, metadata: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(plain, tmp_path / "plain"))
    live = (copy / "CURRENT").read_bytes()
    with pytest.raises(ArtifactError, match=r"built without metadata.*--metadata FILE"):
        add_movies([metadata], index=copy)
    assert (copy / "CURRENT").read_bytes() == live


def test_bad_files_are_one_sentence_and_leave_the_index_as_it_was(index: Path, tmp_path: Path) -> None:
    live = (index / "CURRENT").read_bytes()
    bad = write_lines(tmp_path / "bad.json", ["no json", "[1]"])
    with pytest.raises(DataError, match="None of the 2 lines"):
        add_movies([bad], index=index)
    with pytest.raises(SourceError):
        add_movies([tmp_path / "missing.json"], index=index)
    with pytest.raises(DataError, match="No metadata file"):
        add_movies([], index=index)
    assert (index / "CURRENT").read_bytes() == live
    assert not list(index.glob(".partial-*"))


def test_the_command_adds_movies_and_says_what_became_of_the_lines(index: Path, metadata: Path) -> None:
    result = CliRunner().invoke(main, ["add-movies", str(metadata), "--index", str(index), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["added"] == 3
    listed = CliRunner().invoke(
        main, ["recommend", "reviewer", "R00003", "--index", str(index), "-k", "403", "--json"]
    )
    colds = [item["cold"] for item in json.loads(listed.stdout)["recommendations"]]
    assert any(colds)
    without = ["recommend", "reviewer", "R00003", "--index", str(index), "-k", "403", "--no-cold", "--json"]
    assert not any(
        item["cold"] for item in json.loads(CliRunner().invoke(main, without).stdout)["recommendations"]
    )
    broken = CliRunner().invoke(main, ["add-movies", str(metadata), "--index", str(index.parent / "none")])
    assert broken.exit_code == 1
    assert "There is no index" in broken.output
