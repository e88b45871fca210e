"""Lists that meet a condition, of which a vector database checks a part: as scoring every matching movie."""

from pathlib import Path

import numpy as np
import pytest
from made_index import NUM_MOVIES, movie_id, reviewer_id, write_index
from vector_database import needs_milvus

from engine import Engine
from engine.artifact.layout import ADDRESS_FILE
from engine.artifact.reader import Artifact
from engine.errors import FilterError
from engine.opened import OpenedIndex
from engine.questions.arguments import ListOptions
from engine.search import filtered
from indexes.milvus_index import Address, MilvusIndex
from pipelines.updating.reindex import rebuild_index

NUM_REVIEWERS = 30


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_index(tmp_path_factory.mktemp("flat") / "index", NUM_REVIEWERS, num_candidates=60)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_milvus()
    path = write_index(tmp_path_factory.mktemp("milvus") / "index", NUM_REVIEWERS, num_candidates=60)
    rebuild_index(path, kind="milvus")
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The number of queries and of wanted movies of each filtered search."""
    asked: list[tuple[int, int]] = []
    search = MilvusIndex.search_where

    def note(self: MilvusIndex, queries: np.ndarray, k: int, condition: object) -> object:
        asked.append((len(queries), k))
        return search(self, queries, k, condition)  # type: ignore[arg-type]

    monkeypatch.setattr(MilvusIndex, "search_where", note)
    return asked


@pytest.mark.parametrize(
    ("condition", "is_pushed"),
    [
        ("price < 25", True),
        ("price < 25 and title ilike 'film %'", True),
        ("price < 28 and title like 'Film%' and movie_id ilike '%1%'", True),
        ("price < 25 and year % 2 = 0", True),
        ("price < 1", False),
        ("title ilike '%7%'", False),
    ],
)
def test_lists_are_those_of_scoring_every_match(
    flat: Path, index: Path, asked: list[tuple[int, int]], condition: str, is_pushed: bool
) -> None:
    exact, engine = Engine.load(flat), Engine.load(index)
    equal = []
    for row in range(1, NUM_REVIEWERS, 2):
        found = engine.recommend(reviewer_id(row), k=10, where=condition)
        expected = exact.recommend(reviewer_id(row), k=10, where=condition)
        assert len(found) == len(expected)
        equal += [one.movie_id == other.movie_id for one, other in zip(found, expected, strict=True)]
    assert np.mean(equal) >= 0.99
    assert bool(asked) == is_pushed


def test_a_second_search_makes_up_for_what_duckdb_leaves_out(
    index: Path, asked: list[tuple[int, int]]
) -> None:
    opened = OpenedIndex(Artifact.open(index))
    source = filtered.FilteredSource(opened.model, opened.vector_index, 20, opened.catalogue, opened.variants)
    reviewers = [opened.model.reviewer(row) for row in range(1, 10)]
    condition = "price < 25 and year % 2 = 0"
    found = source.find(reviewers, 5, condition)
    assert found is not None
    assert len(asked) == 2
    assert asked[1][1] > asked[0][1]
    matching = opened.matching_rows(condition)
    for rows, reviewer in zip(found, reviewers, strict=True):
        assert np.isin(rows, matching).all()
        assert (~np.isin(rows, reviewer.history.movie_rows)).sum() >= 20
    assert source.find(reviewers, 5, "price < 25 and year % 2 = 0 and movie_id like '%_7'") is None


def test_a_faulty_condition_is_refused_as_ever(index: Path) -> None:
    with pytest.raises(FilterError, match="stars"):
        Engine.load(index).recommend(reviewer_id(3), k=10, where="price < 25 and stars is null")


def test_no_list_is_short_while_movies_are_left(
    flat: Path, index: Path, asked: list[tuple[int, int]]
) -> None:
    exact, engine = Engine.load(flat), Engine.load(index)
    for k, options in (
        (150, {}),
        (20, {"min_rating": 4.5}),
        (20, {"exclude": [movie_id(row) for row in range(0, NUM_MOVIES, 2)]}),
        (20, {"diversity": 0.4}),
        (20, {"include_seen": True}),
        (20, {"all_variants": True}),
    ):
        for row in (1, 5, NUM_REVIEWERS - 1):
            given = {"k": k, "where": "price < 25", **options}
            found, expected = (one.recommend(reviewer_id(row), **given) for one in (engine, exact))
            assert [one.movie_id for one in found] == [one.movie_id for one in expected]
            assert found.why_empty == expected.why_empty
    assert asked


def test_several_reviewers_share_a_search(index: Path, asked: list[tuple[int, int]]) -> None:
    opened = OpenedIndex(Artifact.open(index))
    reviewers = [opened.model.reviewer(row) for row in range(1, 20)]
    assert len(opened.lists.make(reviewers, 5, ListOptions(where="price < 25", because=False))) == 19
    assert [number for number, _ in asked] == [19]


def test_few_matches_are_scored_without_a_search(
    index: Path, asked: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine.load(index)
    monkeypatch.setattr(filtered, "LEAST_SHARE", 0.9)
    assert engine.recommend(reviewer_id(3), k=5, where="price < 25")
    assert not asked


def test_figures_that_new_reviews_change_are_no_longer_asked_of_the_database(index: Path) -> None:
    address = Address.read(Artifact.open(index).file(ADDRESS_FILE))
    assert {"movie_count", "price", "title"} <= set(address.columns)
    assert "description" not in address.columns
    kept = address.without(("movie_count", "average_rating"))
    assert set(address.columns) - set(kept.columns) == {"movie_count", "average_rating"}
