"""Which movies are one film: by their titles, by copied reviews, and measured against what was planted."""

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from engine.catalogue.titles import film_of_title, format_of_title
from engine.catalogue.variants import Variants, build_variant_arrays, format_of_card, is_in_format
from engine.config.sections import Config
from engine.errors import ArtifactCorruptError
from pipelines.dataset.films import film_rows, join_films, variant_films
from pipelines.ingest.ingest import ingest
from pipelines.synthetic.dirt import DirtRates
from pipelines.synthetic.write import write_synthetic
from pipelines.work.database import open_database


def pairs(groups: Iterable[Sequence[str]]) -> set[tuple[str, str]]:
    return {pair for group in groups for pair in itertools.combinations(sorted(group), 2)}


def groups_of(ids: Sequence[str], films: np.ndarray) -> list[list[str]]:
    groups: dict[int, list[str]] = {}
    for movie_id, film in zip(ids, films.tolist(), strict=True):
        groups.setdefault(film, []).append(movie_id)
    return [group for group in groups.values() if len(group) > 1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Friends [Season 2] [DVD]", "Friends: Season Two (Blu-ray)"),
        ("Kill Bill, Vol. 2 [VHS]", "Kill Bill: Volume 2"),
        ("The Godfather Part II (Two-Disc Special Edition)", "Godfather, The: Part 2"),
        ("Les Misérables (2012) [Blu-ray]", "Les Miserables (2012)"),
        ("Me & You [DVD]", "Me and You"),
    ],
)
def test_spellings_of_one_film_are_one(first: str, second: str) -> None:
    assert film_of_title(first) == film_of_title(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("King Kong (1933)", "King Kong (2005) [Blu-ray]"),
        ("King Kong [DVD] [1933]", "King Kong [DVD] [2005]"),
        ("Friends [Season 1]", "Friends [Season 2]"),
        ("Friends (Season 1 DVD)", "Friends (Season 2 DVD)"),
        ("Kill Bill Vol. 1", "Kill Bill Vol. 2"),
        ("Dune: Part One", "Dune: Part Two"),
        ("[REC]", "[REC] 2"),
        ("Alien", "Aliens"),
    ],
)
def test_remakes_seasons_volumes_and_parts_stay_apart(first: str, second: str) -> None:
    assert film_of_title(first) != film_of_title(second)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Laura (1944) [Blu-ray]", "Blu-ray"),
        ("Laura (Special Edition) [DVD] [Region 2]", "Special Edition, DVD, Region 2"),
        ("Laura VHS", "VHS"),
        ("Laura [Season 2]", None),
        ("Laura (1944)", None),
        (None, None),
    ],
)
def test_the_format_is_what_a_title_says_beside_the_film(title: str | None, expected: str | None) -> None:
    assert format_of_title(title) == expected


def test_a_format_is_found_however_it_is_spelt_and_in_the_category_too() -> None:
    card = {"title": "Laura [Blu-ray]", "category": "Movies & TV | DVD"}
    assert all(is_in_format(card, wanted) for wanted in ("blu-ray", "Blu Ray", "BLURAY"))
    assert not is_in_format(card, "dvd")
    assert format_of_card({"title": None, "category": "Movies & TV | VHS | Drama"}) == "VHS"
    assert format_of_card({"title": None, "category": None}) is None


@pytest.mark.parametrize(
    ("titles", "copies", "films"),
    [
        (["Laura", None, None], [(0, 1)], [0, 0, 2]),
        ([None, None, None, None], [(0, 1), (2, 3), (1, 2)], [0, 0, 0, 0]),
        (["King Kong (1933)", "King Kong (2005)"], [(0, 1)], [0, 1]),
        (["King Kong (1933)", None, "King Kong (2005)"], [(0, 1), (1, 2)], [0, 0, 2]),
        (["Doctor Who: Season 1", "Doctor Who: Season 2"], [(0, 1)], [0, 1]),
        (["Doctor Who: Season 1", "Doctor Who: The Complete Series"], [(0, 1)], [0, 1]),
        (["Alien", "Alien 3"], [(0, 1)], [0, 1]),
        (["Alien", "Gilda"], [(0, 1)], [0, 1]),
        (["Alien", "Alien (1979)", "Alien Quadrilogy"], [(0, 1), (0, 2)], [0, 0, 0]),
        (["Gilda [DVD]", "Laura", "Gilda [VHS]", None], [(2, 3)], [0, 1, 0, 0]),
        ([], [], []),
    ],
)
def test_copies_join_movies_where_their_titles_do_not_object(
    titles: list[str | None], copies: list[tuple[int, int]], films: list[int]
) -> None:
    found = join_films(titles, np.array(copies, dtype=np.int64).reshape(-1, 2))
    assert found.tolist() == films


def test_variants_are_found_by_the_movie() -> None:
    films = np.array([4, 9, 4, 1, 9, 4])
    variants = Variants(*build_variant_arrays(films).values())
    assert [variants.of(row).tolist() for row in range(6)] == [
        np.flatnonzero(films == film).tolist() for film in films
    ]
    assert variants.complete(np.array([3, 1])).tolist() == [1, 3, 4]
    assert variants.complete(np.array([3])).tolist() == [3]
    assert variants.complete(np.zeros(0, np.int32)).tolist() == []
    assert variants.are_several(np.arange(6)).tolist() == [True, True, True, False, True, True]
    preference = np.array([1.0, 5.0, 3.0, 0.0, 5.0, 3.0])
    assert np.flatnonzero(variants.one_each(np.arange(6), preference)).tolist() == [1, 2, 3]
    assert variants.one_each(np.array([0, 1]), np.zeros(2)).all()


def test_without_variants_every_movie_is_a_film() -> None:
    for variants in (Variants.none(), Variants(*build_variant_arrays(np.arange(5)).values())):
        assert not variants
        assert variants.of(3).tolist() == [3]
        assert variants.complete(np.array([4, 2])).tolist() == [2, 4]
        assert variants.one_each(np.arange(5), np.zeros(5)).all()
        assert not variants.are_several(np.arange(5)).any()


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ArtifactCorruptError, match="variants of films"):
        Variants(np.zeros(3, np.int32), np.array([0, 4]), np.zeros(3, np.int32)).of(0)


@pytest.mark.parametrize(
    ("seed", "dirt"),
    [
        (42, DirtRates()),
        (7, DirtRates(lost_titles=0.05, missing_metadata=0.05, film_variants=0.25, copied_reviews=0.15)),
    ],
)
def test_planted_variants_are_found(
    seed: int, dirt: DirtRates, tmp_path: Path, database: duckdb.DuckDBPyConnection
) -> None:
    files = write_synthetic(tmp_path, num_reviews=10_000, seed=seed, dirt=dirt)
    ingest(database, [files.reviews], [files.metadata], Config().ingest, compare_text=True)
    ids = [movie_id for (movie_id,) in database.execute("select movie_id from movies order by 1").fetchall()]
    found = pairs(groups_of(ids, variant_films(database)))
    editions = json.loads(files.truth.read_text())["editions"]
    planted = pairs([[movie_id for movie_id in group if movie_id in set(ids)] for group in editions])
    right = len(found & planted)
    assert right / len(found) >= 0.98
    assert right / len(planted) >= 0.95


def test_one_reviewer_who_repeats_themselves_joins_nothing(
    tmp_path: Path, database: duckdb.DuckDBPyConnection
) -> None:
    words = "I wrote these very words about every movie that I saw this year."
    lines = [
        json.dumps({"reviewerID": f"R{reviewer}", "asin": f"M{movie}", "overall": 4.0 + (reviewer == 0)})[:-1]
        + f', "unixReviewTime": 1400000000, "reviewText": "{words if reviewer == 0 else movie * "x"}"}}'
        for reviewer in range(4)
        for movie in range(3)
    ]
    path = tmp_path / "reviews.json"
    path.write_text("\n".join(lines))
    config = replace(Config().ingest, min_reviews_per_reviewer=1, min_reviews_per_movie=1)
    ingest(database, [path], [], config, compare_text=True)
    assert len(set(variant_films(database).tolist())) == 3


def test_on_movielens_no_remake_is_merged(real_data: Path) -> None:
    with open_database(Path(":memory:"), memory_limit="1GB", threads=1) as connection:
        small = real_data / "movielens-latest-small" / "movies.csv"
        titles = [row[0] for row in connection.execute(f"select title from read_csv('{small}')").fetchall()]
    lines = (real_data / "movielens-100k" / "u.item").read_text(encoding="latin-1").splitlines()
    for every, num_groups in ((titles, 5), ([line.split("|")[1] for line in lines], 18)):
        groups = groups_of(every, film_rows(every))
        assert len(groups) == num_groups
        assert all(len(set(group)) == 1 for group in groups)
