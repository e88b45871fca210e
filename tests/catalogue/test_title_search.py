import time

import duckdb
import numpy as np
import pytest

from engine.artifact.ids import IdTable, build_id_arrays
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.cards import MovieCards
from engine.catalogue.database import Catalogue
from engine.catalogue.title_search import TitleSearch
from engine.catalogue.variants import Variants, build_variant_arrays
from engine.errors import ConfigError, TitleError
from pipelines.export.catalogue import write_catalogue

TITLES = [
    ("Blade Runner (1982)", 90),
    ("Blade Runner 2049 (2017)", 20),
    ("Matrix, The (1999)", 80),
    ("The Matrix Reloaded (2003)", 70),
    ("Animatrix, The (2003)", 5),
    ("Amélie [DVD]", 30),
    ("Amélie [Blu-ray]", 10),
    ("King Kong (1933)", 8),
    ("King Kong (2005)", 9),
    ("It's a Wonderful Life; 100%", 4),
    (None, 3),
    ("七人の侍 (1954)", 6),
]


UNKNOWN_ELSE = """
create table movies as
select
    movie_row, movie_id, title, count as movie_count, null::integer as year, null::double as price,
    null::double as average_rating, null::varchar as category, null::varchar as main_cat,
    null::varchar as description, null::varchar as brand, null::bigint as rank, null::varchar as date,
    null::varchar[] as links
from named
"""


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> TitleSearch:
    connection = duckdb.connect()
    connection.execute("create table named (movie_row bigint, movie_id varchar, title varchar, count bigint)")
    for row, (title, count) in enumerate(TITLES):
        connection.execute("insert into named values (?, ?, ?, ?)", [row, f"M{row:02}", title, count])
    connection.execute(UNKNOWN_ELSE)
    directory = tmp_path_factory.mktemp("titles") / "index"
    with ArtifactWriter(directory) as writer:
        write_catalogue(connection, writer)
    artifact = Artifact.open(directory)
    ids = IdTable(*build_id_arrays(f"M{row:02}" for row in range(len(TITLES))))
    films = [0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10]
    arrays = build_variant_arrays(np.array(films))
    cards = MovieCards(artifact.array("movie_cards"), artifact.array("movie_card_offsets"))
    return TitleSearch(Catalogue(artifact), ids, cards, Variants(*arrays.values()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("blade runner", [("M00", "exact"), ("M01", "prefix")]),
        ("BLADE  RUNNER!", [("M00", "exact"), ("M01", "prefix")]),
        ("runner", [("M00", "word"), ("M01", "word")]),
        ("unner", [("M00", "substring"), ("M01", "substring")]),
        ("the matrix", [("M02", "exact"), ("M03", "prefix"), ("M04", "substring")]),
        ("matrix", [("M02", "exact"), ("M03", "prefix"), ("M04", "substring")]),
        ("amelie", [("M05", "exact"), ("M06", "exact")]),
        ("king kong (1933)", [("M07", "exact")]),
        ("king kong", [("M08", "exact"), ("M07", "exact")]),
        ("blad runer", [("M00", "fuzzy"), ("M01", "fuzzy")]),
        ("七人", [("M11", "prefix")]),
        ("'; drop table movies --", []),
        ("100%", [("M09", "word")]),
        ("no such film at all", []),
    ],
)
def test_titles_are_found_best_first(search: TitleSearch, text: str, expected: list[tuple[str, str]]) -> None:
    assert [(match.movie_id, match.match) for match in search.matches(text, 10)] == expected


def test_as_many_are_given_as_wanted(search: TitleSearch) -> None:
    assert [match.movie_id for match in search.matches("matrix", 2)] == ["M02", "M03"]


@pytest.mark.parametrize(
    ("text", "movie_id"),
    [("blade runner", "M00"), ("reloaded", "M03"), ("amelie", "M05"), ("king kong 2005", "M08")],
)
def test_the_one_film_that_matches_best_is_meant(search: TitleSearch, text: str, movie_id: str) -> None:
    assert search.resolve(text).movie_id == movie_id


@pytest.mark.parametrize("text", ["king kong", "runner", "matri", "blad runer"])
def test_several_films_are_ambiguous_unless_one_has_exactly_that_title(
    search: TitleSearch, text: str
) -> None:
    with pytest.raises(TitleError, match="may mean"):
        search.resolve(text)


def test_an_ambiguous_title_names_the_choices(search: TitleSearch) -> None:
    with pytest.raises(TitleError, match=r"may mean 2 movies.*M08 King Kong") as caught:
        search.resolve("king kong")
    assert [match.movie_id for match in caught.value.matches] == ["M08", "M07"]


def test_a_title_that_means_nothing_is_refused(search: TitleSearch) -> None:
    with pytest.raises(TitleError, match="No title is like 'zzzz'") as caught:
        search.resolve("zzzz")
    assert caught.value.matches == ()
    for text in ("", "  ", "???"):
        with pytest.raises(ConfigError, match="letters and digits"):
            search.matches(text, 5)
    with pytest.raises(TitleError):
        search.resolve("x" * 10_000)


@pytest.mark.parametrize(
    "text", ["qzqz" + "-" * 20_000 + "b", "q z" * 40_000, "zqzq" + "(" * 20_000, "zqzq\udcff"]
)
def test_a_hostile_title_is_like_no_other_within_a_moment(search: TitleSearch, text: str) -> None:
    began = time.monotonic()
    with pytest.raises(TitleError, match="No title is like"):
        search.resolve(text)
    assert time.monotonic() - began < 1
