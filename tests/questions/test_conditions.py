"""What lists say when they are asked for too much: unknown movies, files, conditions that leave nothing."""

import logging
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_shop import NUM_MOVIES, World, open_shop

from engine.errors import ConfigError, DataError, EngineError, SourceError, UnknownIdError
from engine.questions.arguments import ListOptions
from engine.questions.ids import ids_of, ids_or_file, read_ids

EVERYTHING_SEEN = 7


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    shop = open_shop(tmp_path_factory.mktemp("shop"))
    yield shop
    shop.catalogue.close()


def listed(world: World, k: int = 10, number: int = 2, **options: Any) -> list[str]:
    (found,) = world.exact.make([world.reviewer(number)], k, ListOptions(because=False, **options))
    return [item.movie_id for item in found]


def reason(world: World, number: int = 2, **options: Any) -> str | None:
    (found,) = world.narrow.make([world.reviewer(number)], 10, ListOptions(because=False, **options))
    assert found == []
    return found.why_empty


@pytest.mark.parametrize(
    "content", [b"M001\nM002\n", b"\xef\xbb\xbfM001\r\n\r\n  M002  \r\nM001", b"M001\rM002"]
)
def test_a_file_of_ids_may_have_blank_lines_a_mark_and_any_line_ends(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "movies.txt"
    path.write_bytes(content)
    assert ids_of(path) == ["M001", "M002"]
    assert ids_or_file([str(path), "M003, M004,"])[-2:] == ["M003", "M004"]


def test_ids_are_read_from_a_file_that_exists_and_else_from_the_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ids_or_file(["wanted,M2"]) == ["wanted", "M2"]
    assert ids_or_file(["wanted"]) == ["wanted"]
    Path("wanted").write_text("M7\n")
    assert ids_or_file(["wanted"]) == ["M7"]
    assert ids_or_file([]) == []


@pytest.mark.parametrize("name", ["absent.txt", "folder/", "./absent"])
def test_an_unreadable_file_is_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourceError, match=r"Cannot read the movie ids in .*; expected a text file"):
        ids_or_file([name])


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "movies.txt"
    path.write_bytes(b"\xff\xfeM\x000\x00")
    with pytest.raises(SourceError, match="not UTF-8 text"):
        read_ids(path)


def test_only_and_exclude_take_files_lists_and_a_single_id(world: World, tmp_path: Path) -> None:
    path = tmp_path / "movies.txt"
    path.write_text("M010\nM020\n")
    given = ["M010", "M020"]
    assert set(listed(world, only=path, include_seen=True, all_variants=True)) == set(given)
    assert listed(world, only=path) == listed(world, only=given)
    assert set(listed(world, only="M010", include_seen=True)) == {"M010"}
    assert listed(world, k=400, exclude=path) == listed(world, k=400, exclude=tuple(given))
    assert not set(listed(world, k=400, exclude=path)) & set(given)


def test_unknown_movies_among_known_ones_are_skipped_with_a_warning(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = listed(world, only=["M010", "X1", "X2"], include_seen=True)
    assert found == ["M010"]
    assert caplog.messages == ["Skipped 2 of the 3 movies of 'only', which the index does not hold: X1, X2"]
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert listed(world, exclude=["X1"]) == listed(world)
    assert caplog.messages == ["Skipped 1 of the 1 movies of 'exclude', which the index does not hold: X1"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"only": ["X1", "X2"]},
            UnknownIdError,
            "No movie 'X1' in .* nor any other of the 2 movies of 'only'",
        ),
        ({"only": "M01"}, UnknownIdError, "No movie 'M01' in the index"),
        ({"only": []}, ConfigError, "'only' names no movie"),
        ({"min_rating": 5.5}, ConfigError, "between 1 and 5, the ratings of the data, but is 5.5"),
        ({"min_rating": 0}, ConfigError, "between 1 and 5"),
        ({"min_rating": float("nan")}, ConfigError, "must be a number of stars"),
        ({"diversity": 1.1}, ConfigError, "diversity must be between 0 and 1 but is 1.1; it says how much"),
        ({"diversity": float("nan")}, ConfigError, "diversity must be between 0 and 1"),
        ({"novelty": -0.1}, ConfigError, "novelty must be between 0 and 1 but is -0.1"),
        ({"format_preference": " "}, ConfigError, "format_preference must be a format"),
    ],
)
def test_options_that_cannot_be_met_are_one_sentence(
    world: World, options: dict[str, Any], error: type[EngineError], message: str
) -> None:
    with pytest.raises(error, match=message):
        listed(world, **options)


def test_a_least_rating_needs_ratings(world: World) -> None:
    unrated = copy(world.exact)
    unrated.model = replace(world.model, rating=None)
    with pytest.raises(DataError, match="built from data without ratings"):
        unrated.make([], 3, ListOptions(min_rating=3))


@pytest.mark.parametrize(
    ("number", "options", "sentence"),
    [
        (2, {"where": "price > 1000"}, "No movie matches 'price > 1000'"),
        (
            2,
            {"where": "movie_id = 'M001'", "only": ["M002", "M003"]},
            "None of the 2 movies of 'only' matches \"movie_id = 'M001'\"",
        ),
        (2, {"only": ["M002", "M003"], "exclude": ["M003", "M002"]}, "All 2 movies of 'only' are excluded"),
        (2, {"exclude": [f"M{row:03d}" for row in range(NUM_MOVIES)]}, "All 300 movies are excluded"),
        (
            EVERYTHING_SEEN,
            {},
            "All 300 movies were reviewed already, or a variant of them was; "
            "include seen movies to list them",
        ),
        (
            EVERYTHING_SEEN,
            {"only": ["M002", "M003"], "exclude": ["M003"]},
            "All 1 movies of 'only' that are not excluded were reviewed already, or a variant of them was; "
            "include seen movies to list them",
        ),
    ],
)
def test_an_empty_list_says_which_condition_left_nothing(
    world: World, number: int, options: dict[str, Any], sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert reason(world, number, **options) == sentence
    assert caplog.messages == [sentence]


def test_a_least_rating_that_no_movie_reaches_names_the_highest(world: World) -> None:
    best = max(
        item.predicted_rating or 0
        for item in world.exact.make(
            [world.reviewer(2)], 400, ListOptions(because=False, only=["M010", "M020"])
        )[0]
    )
    assert best < 5
    assert reason(world, only=["M010", "M020"], min_rating=5) == (
        "Of the movies of 'only', 2 are left, but none has a predicted rating of 5 or more; "
        f"the highest is {best:.2f}"
    )


def test_many_empty_lists_are_warned_of_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    reviewers = [world.reviewer(number) for number in range(5)]
    with caplog.at_level(logging.WARNING):
        lists = world.exact.make(reviewers, 3, ListOptions(where="price > 1000"))
    assert [found.why_empty for found in lists] == ["No movie matches 'price > 1000'"] * 5
    assert caplog.messages == ["No movie matches 'price > 1000' (5 of 5 lists are empty)"]
