from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from engine.config.sections import Config, IngestConfig, load_config
from pipelines.dataset.reviews import make_reviews, read_reviews, say_likes
from pipelines.ingest.ingest import ingest
from pipelines.ingest.ratings import are_counts, off_scale

if TYPE_CHECKING:
    import duckdb

STARS = {1: 60, 2: 60, 3: 80, 4: 140, 5: 139}


def odd_ones(counts: dict[float, int]) -> list[float]:
    ratings = sorted(counts)
    odd = off_scale(np.array(ratings, dtype=np.float64), np.array([counts[rating] for rating in ratings]))
    return [rating for rating, is_odd in zip(ratings, odd, strict=True) if is_odd]


@pytest.mark.parametrize(
    ("counts", "odd"),
    [
        (STARS | {50: 1}, [50]),
        ({1: 4, 2: 4, 3: 4, 4: 4, 5: 4, 50: 1}, [50]),
        (STARS | {50: 1, 55: 1, 1000: 2}, [50, 55, 1000]),
        (STARS | {99: 500}, [99]),
        (STARS | {-1: 300}, [-1]),
        (STARS | {-99: 300, 99: 300}, [-99, 99]),
        ({0: 10, 1: 10, 99: 5}, [99]),
        ({rating / 100: 1 for rating in range(-1000, 1001)} | {99: 3000, -99: 3000}, [-99, 99]),
    ],
)
def test_a_rating_far_off_the_scale_is_found(counts: dict[float, int], odd: list[float]) -> None:
    assert odd_ones(counts) == odd


@pytest.mark.parametrize(
    "counts",
    [
        STARS,
        STARS | {0: 1},
        STARS | {0: 1, -1: 1},
        STARS | {0: 500},
        {0: 10, 1: 10},
        {-1: 10, 0: 5, 1: 10},
        {1: 5},
        {},
        {rating / 2: 3 for rating in range(1, 11)},
        {rating: 1 for rating in range(101)},
        {80: 40, 85: 40, 90: 40, 95: 40, 100: 40, 10: 1},
        {80: 40, 85: 40, 90: 40, 95: 40, 100: 40, 0: 1},
        {rating / 100: 1 for rating in range(-1000, 1001)},
        {-10: 1, 8: 100, 9: 100, 10: 100, 0: 3},
        STARS | {50: 40},
    ],
)
def test_no_honest_rating_is_off_the_scale(counts: dict[float, int]) -> None:
    assert odd_ones(counts) == []


def read(database: duckdb.DuckDBPyConnection, tmp_path: Path, ratings: Sequence[object]) -> dict[str, int]:
    path = tmp_path / "reviews.tsv"
    rows = (f"u{row}\tm{row % 7}\t{rating}" for row, rating in enumerate(ratings))
    path.write_text("user\titem\trating\n" + "\n".join(rows) + "\n")
    config = IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1)
    return dict(ingest(database, [path], [], config).rejected_by)


def test_a_rating_off_the_scale_is_rejected_and_warned_of(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read(database, tmp_path, [1, 2, 3, 4, 5] * 20 + [50]) == {"rating is off the scale": 1}
    assert database.execute("select line, text from rejected").fetchall() == [(102, "u100,m2,50.0")]
    [warning] = [
        record.getMessage() for record in caplog.records if record.name == "pipelines.ingest.ratings"
    ]
    assert warning.startswith("1 of 101 ratings are 50, far off the others, which are 1 to 5;")


def test_two_scales_in_one_column_are_asked_about(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read(database, tmp_path, [1, 2, 3, 4, 5] * 3 + [60, 80, 100] * 2) == {}
    assert "29% of the ratings are 60 or more, far above the others, which are 1 to 5" in caplog.text
    assert '--where "rating <= 5"' in caplog.text


def test_many_zeros_are_asked_about(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read(database, tmp_path, [0, 0, 6, 7, 8, 9, 10]) == {}
    assert "29% of the ratings are 0" not in caplog.text
    assert read(database, tmp_path, [0, 0, 0, 6, 7, 8, 9]) == {}
    assert "43% of the ratings are 0, and the others are 6 to 9" in caplog.text


@pytest.mark.parametrize(
    ("ratings", "levelname", "said"),
    [
        ([1, 2, 3, 4, 5] * 20, "INFO", "A like is a rating of 4 or more: 40 of 100 reviews (40.0%)"),
        ([1] * 199 + [5], "WARNING", "1 of 200 reviews (0.5%). Lists are poor if nearly no review is a like"),
        ([5] * 199 + [1], "WARNING", "199 of 200 reviews (99.5%). Lists are poor if nearly every review"),
    ],
)
def test_the_share_of_likes_is_said(
    caplog: pytest.LogCaptureFixture, ratings: list[int], levelname: str, said: str
) -> None:
    caplog.set_level("INFO")
    rows = np.arange(len(ratings))
    reviews = make_reviews(
        rows, rows * 0, np.array(ratings, dtype=float), None, num_reviewers=len(rows), num_movies=1
    )
    say_likes(reviews, Config())
    [record] = caplog.records
    assert record.levelname == levelname
    assert said in record.getMessage()


def drawn_counts(seed: int, num: int = 500, scale: float = 1.5) -> list[int]:
    """Draws counts with a long tail: half of them are 1 to 3, and a few are in the hundreds."""
    return np.ceil(np.random.default_rng(seed).lognormal(0.7, scale, num)).astype(int).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_counts_are_told_by_their_long_tail(seed: int) -> None:
    assert are_counts(*np.unique(drawn_counts(seed), return_counts=True))
    exponential = np.ceil(np.random.default_rng(seed).exponential(50, 480))
    assert are_counts(*np.unique(exponential, return_counts=True))
    hours = np.random.default_rng(seed).lognormal(2, 2, 500).round(1)
    assert are_counts(*np.unique(hours, return_counts=True))


@pytest.mark.parametrize(
    "ratings",
    [
        [1, 2, 3, 4, 5] * 20,
        [0, 1] * 50,
        list(np.arange(1, 11) / 2),
        list(range(101)),
        [100 - rating for rating in range(40) for _ in range(40 - rating)],
        list(np.linspace(-10, 10, 400)),
        [1, 2, 3, 4, 5] * 40 + [50, 99, 99, 1000],
        list(np.linspace(0, 10, 101)),
        [0] * 62 + list(range(1, 11)) * 4,
        [1] * 90 + list(range(2, 11)),
        [1, 2, 3, 4, 5] * 100 + [45, 50, 70, 99, 100, 250, 500, 1000],
        [10, 15, 20] * 70 + list(range(85, 101)) * 6,
        np.ceil(np.random.default_rng(0).triangular(0, 0, 100, 2000)).tolist(),
        [],
    ],
)
def test_stars_are_no_counts(ratings: list[float]) -> None:
    assert not are_counts(*np.unique(np.array(ratings, dtype=np.float64), return_counts=True))


def read_plays(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, counts: Sequence[int], kind: str = "auto"
) -> None:
    path = tmp_path / "plays.csv"
    rows = (f"u{row // 10},m{row % 10},{count}" for row, count in enumerate(counts))
    path.write_text("user,item,rating\n" + "\n".join(rows) + "\n")
    ingest(database, [path], [], IngestConfig(ratings=kind))


def test_the_higher_half_of_counts_are_likes(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counts = drawn_counts(1)
    read_plays(database, tmp_path, counts)
    assert "The ratings are taken for counts, such as plays or hours" in caplog.text
    found = database.execute("select rating from reviews order by line").fetchall()
    assert [count for (count,) in found] == counts
    reviews = read_reviews(database, Config())
    assert reviews.levels.tolist() == [0, 1]
    assert reviews.like_count is not None
    likes = np.array(counts) >= reviews.like_count
    assert reviews.likes(1.0).sum() == likes.sum()
    assert 0.3 <= likes.mean() <= 0.5
    caplog.set_level("INFO")
    say_likes(reviews, Config())
    assert f"A like is a count of {reviews.like_count:g} or more: {likes.sum()} of 500" in caplog.text
    own = read_reviews(database, load_config(None, ["rating.like_rating=20"]))
    assert own.likes(1.0).sum() == (np.array(counts) >= 20).sum()


def test_the_settings_say_whether_ratings_are_counts(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read_plays(database, tmp_path, drawn_counts(1), "stars")
    assert read_reviews(database, Config()).like_count is None
    read_plays(database, tmp_path, [1, 2, 3, 4, 5] * 20, "counts")
    assert read_reviews(database, Config()).like_count == 4
    assert "taken for counts" not in caplog.text
