"""Which movies of the metadata join an index without enough reviews, and what the others keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.config.sections import ColdConfig, Config, IngestConfig
from pipelines.cold_start.catalogue import ColdCatalogue, read_cold_catalogue
from pipelines.dataset.reviews import read_reviews
from pipelines.ingest.ingest import ingest

if TYPE_CHECKING:
    import duckdb

NUM_MOVIES = 25
CONFIG = IngestConfig()
COLD = ColdConfig()


def write_shop(directory: Path) -> tuple[Path, Path]:
    """M00..M24 are reviewed by many, C1 by R0 alone, C2 by a stranger, C3 by two; the others by none."""
    reviews = [
        (f"R{reviewer}", f"M{movie:02d}", 1 + (reviewer + movie) % 5, 1000 * reviewer + movie)
        for reviewer in range(6)
        for movie in range(NUM_MOVIES)
        if (reviewer + movie) % 3
    ]
    reviews += [("R0", "C1", 5, 3), ("stranger", "C2", 4, 1), ("one", "C3", 4, 1), ("two", "C3", 4, 1)]
    lines = [
        {"asin": f"M{movie:02d}", "title": f"Film {movie}", "price": "$5"} for movie in range(NUM_MOVIES)
    ]
    lines += [{"asin": f"C{number}", "title": f"Cold {number}"} for number in (1, 2, 3)]
    lines += [
        {"asin": "N0", "title": "New", "price": "$30.00", "also_view": ["M03"]},
        {"asin": "N1", "description": ["Newer still"], "details": '<a href="/dp/N1">shop</a>'},
        {"asin": "N2", "price": "$3.00"},
        {"asin": "A", "category": ["Before all"]},
    ]
    files = directory / "reviews.json", directory / "metadata.json"
    rows: list[dict[str, Any]] = [
        {"reviewerID": reviewer, "asin": movie, "overall": rating, "unixReviewTime": time}
        for reviewer, movie, rating, time in reviews
    ]
    for file, objects in zip(files, (rows, lines), strict=True):
        file.write_text("\n".join(map(json.dumps, objects)))
    return files


def taken_in(
    database: duckdb.DuckDBPyConnection,
    directory: Path,
    config: IngestConfig = CONFIG,
    cold: ColdConfig = COLD,
) -> ColdCatalogue:
    reviews, metadata = write_shop(directory)
    ingest(database, [reviews], [metadata], config, cold=cold)
    catalogue = read_cold_catalogue(database)
    assert catalogue is not None
    return catalogue


def all_ids(database: duckdb.DuckDBPyConnection, condition: str = "true") -> list[str]:
    rows = database.execute(f"select movie_id from movies where {condition} order by movie_row").fetchall()
    return [movie_id for (movie_id,) in rows]


def cold_ids(database: duckdb.DuckDBPyConnection) -> list[str]:
    return all_ids(database, "learned_row is null")


def test_described_movies_with_one_review_or_none_join(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    catalogue = taken_in(database, tmp_path)
    assert cold_ids(database) == ["A", "C1", "C2", "N0", "N1"]
    assert catalogue.num_movies == NUM_MOVIES + 5
    counts = dict(database.execute("select movie_id, movie_count from movies").fetchall())
    assert (counts["N0"], counts["C1"], counts["M00"]) == (0, 1, 4)


def test_how_many_reviews_they_may_have_can_be_set(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    taken_in(database, tmp_path, cold=ColdConfig(max_reviews=2))
    assert "C3" in cold_ids(database)


def test_rows_are_ranks_of_ids_in_every_table(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    catalogue = taken_in(database, tmp_path)
    ids = all_ids(database)
    assert ids == sorted(ids)
    assert [ids[row] for row in catalogue.new_rows] == ["A", "C1", "C2", "N0", "N1"]
    pairs = database.execute("select movie_row, movie_id from reviews").fetchall()
    assert all(ids[row] == movie_id for row, movie_id in pairs)


def test_a_kept_reviewer_who_reviewed_such_a_movie_has_seen_it(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    catalogue = taken_in(database, tmp_path)
    ids = all_ids(database)
    assert catalogue.reviewer_rows.tolist() == [0]
    assert [ids[row] for row in catalogue.review_movie_rows] == ["C1"]
    assert (catalogue.ratings.tolist(), catalogue.times.tolist()) == ([5.0], [3])


def test_what_is_learned_from_and_accounted_for_is_as_without_them(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    reviews, metadata = write_shop(tmp_path)
    without = ingest(database, [reviews], [metadata], CONFIG)
    before = read_reviews(database, Config())
    accounting = ingest(database, [reviews], [metadata], CONFIG, cold=COLD)
    after = read_reviews(database, Config())
    assert accounting.to_dict() == without.to_dict()
    np.testing.assert_array_equal(before.movie_rows, after.movie_rows)
    assert before.num_movies == after.num_movies == NUM_MOVIES


def test_words_and_links_go_by_the_new_rows(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    catalogue = taken_in(database, tmp_path)
    ids = all_ids(database)
    assert [(ids[one], ids[other]) for one, other in catalogue.links.tolist()] == [("N0", "M03")]
    assert catalogue.link_matrix[ids.index("N0"), ids.index("M03")] == 1
    assert catalogue.learned_words.shape[0] == NUM_MOVIES
    assert catalogue.words[ids.index("N0")].sum() > 0
    again = ColdCatalogue(**{name: value.copy() for name, value in vars(catalogue).items()})
    np.testing.assert_array_equal(again.words.toarray(), catalogue.words.toarray())


def test_their_links_are_scraped_too(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    taken_in(database, tmp_path)
    assert database.execute("select links from movies where movie_id = 'N1'").fetchall() == [(["/dp/N1"],)]


def test_a_condition_holds_for_them_too(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    config = IngestConfig(where="price < 10 or title ilike 'cold%'")
    taken_in(database, tmp_path, config)
    assert cold_ids(database) == ["C1", "C2"]


def test_a_condition_over_reviews_leaves_movies_without_any_out(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    taken_in(database, tmp_path, IngestConfig(where="rating >= 1"))
    assert cold_ids(database) == []


def test_metadata_that_describes_few_of_the_reviewed_movies_takes_none_in(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    reviews, metadata = write_shop(tmp_path)
    lines = metadata.read_text().splitlines()
    metadata.write_text("\n".join(lines[15:]))
    ingest(database, [reviews], [metadata], CONFIG, cold=COLD)
    assert read_cold_catalogue(database) is None
    [(count,)] = database.execute("select count(*) from movies").fetchall()
    assert count == NUM_MOVIES
