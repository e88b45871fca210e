import numpy as np
import pytest

from engine.config.sections import NeighboursConfig
from engine.model.neighbours import NeighbourTable
from pipelines.dataset.reviews import make_reviews
from pipelines.dataset.words import count_words
from pipelines.neighbours import content
from pipelines.neighbours.content import content_features, content_neighbours, content_table, with_content


def movies_of_two_kinds(count: int = 30) -> list[dict[str, str]]:
    """Every other one is a western; the last has no description."""
    kinds = ("western | horses", "space | robots")
    return [{"title": f"number{row // 10}", "category": kinds[row % 2]} for row in range(count - 1)] + [{}]


def features(count: int = 30) -> np.ndarray:
    found = content_features(count_words(movies_of_two_kinds(count)))
    assert found is not None
    return found


def test_features_are_of_length_one_and_alike_where_words_are() -> None:
    found = features()
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found[:-1], axis=1), 1, atol=1e-5)
    assert not found[-1].any()
    cosines = found[:-1] @ found[:-1].T
    same = np.add.outer(np.arange(29), np.arange(29)) % 2 == 0
    assert cosines[same].mean() > cosines[~same].mean() + 0.3


def test_too_few_described_movies_have_no_features() -> None:
    assert content_features(count_words(movies_of_two_kinds(20))) is None
    assert content_features(count_words([{}] * 40)) is None


def test_neighbours_are_alike_and_the_known_ones_count_more() -> None:
    found, counts = features(), np.arange(30)
    table = content_neighbours(found, counts, 3)
    for movie in range(29):
        rows, weights = table.of(movie)
        cosines = found @ found[movie]
        cosines[movie] = 0
        expected = cosines * np.sqrt(counts)
        best = np.sort(np.argsort(-expected, kind="stable")[:3])
        assert rows.tolist() == best.tolist()
        np.testing.assert_allclose(weights, expected[best], rtol=1e-4)
    assert table.num_neighbours(np.array([29])) == 0


def test_movies_without_reviews_are_neighbours_of_nobody() -> None:
    counts = np.where(np.arange(30) < 20, 5, 0)
    table = content_neighbours(features(), counts, 40)
    assert table.movie_rows.max() < 20
    assert table.num_neighbours(np.array([25])) > 0


def test_of_large_catalogues_the_most_reviewed_are_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "_MOST_NEIGHBOURS_OF", 10)
    monkeypatch.setattr(content, "_SCORES_AT_ONCE", 35)
    table = content_neighbours(features(), np.arange(30), 8)
    assert set(table.movie_rows.tolist()) <= set(range(20, 30))
    assert table.num_movies == 30


def test_a_table_is_made_as_configured() -> None:
    reviews = make_reviews(
        np.array([0, 0, 1]), np.array([0, 2, 4]), None, None, num_reviewers=2, num_movies=30
    )
    table = content_table(reviews, features(), NeighboursConfig(num_content_neighbours=2))
    assert table is not None
    assert set(table.movie_rows.tolist()) <= {0, 2, 4}
    assert np.diff(table.offsets).max() <= 2
    assert content_table(reviews, features(), NeighboursConfig(num_content_neighbours=0)) is None
    assert content_table(reviews, None, NeighboursConfig()) is None


def table_of(matrix: list[list[float]]) -> NeighbourTable:
    dense = np.array(matrix, dtype=np.float32)
    offsets = np.concatenate([[0], np.cumsum((dense != 0).sum(axis=1))])
    return NeighbourTable(offsets, np.nonzero(dense)[1].astype(np.int32), dense[dense != 0])


@pytest.mark.parametrize("rows_at_once", [1, 3, 100])
def test_a_sum_keeps_the_strongest_and_no_more_than_the_longer_list_has(
    rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "_ROWS_AT_ONCE", rows_at_once)
    near = table_of([[0, 3, 1, 0], [3, 0, 0, 0], [1, 0, 0, 2], [0, 0, -2, 0]])
    alike = table_of([[0, 0, 4, 2], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 4, 0]])
    both = with_content(near, alike, 0.5)
    assert [both.of(row)[0].tolist() for row in range(4)] == [[1, 2], [0], [0, 3], []]
    np.testing.assert_allclose(both.of(0)[1], [3, 3])
    np.testing.assert_allclose(both.of(2)[1], [1, 2])
    assert both.offsets.dtype == np.int64
    assert both.movie_rows.dtype == np.int32
    assert both.weights.dtype == np.float32
