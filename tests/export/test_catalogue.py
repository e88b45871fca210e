"""The cards of movies: what names a movie without a title, the first words of a description, and the link."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

from engine.catalogue.cards import CARD_FIELDS
from engine.config.sections import Config
from pipelines.ingest.ingest import ingest
from pipelines.work.database import run, work_database

LONG = "Bound by honour, " + "a family crosses the plains and the years " * 12
COLUMNS = (
    "movie_id varchar, title varchar, description varchar, brand varchar, category varchar, "
    "main_cat varchar, links varchar[]"
)


def cards(rows: list[dict]) -> list[dict]:
    connection = duckdb.connect()
    connection.execute(
        f"create table movies ({COLUMNS}, movie_row integer, price double, year integer, "
        "average_rating double, movie_count integer)"
    )
    for number, row in enumerate(rows):
        row = {"movie_row": number, "movie_id": f"B00000000{number}", **row}
        names, places = ", ".join(row), ", ".join("?" * len(row))
        connection.execute(f"insert into movies ({names}) values ({places})", list(row.values()))
    found = run(connection, "tables/movie_cards")
    names = [column[0] for column in found.description]
    assert set(names) == set(CARD_FIELDS)
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.mark.parametrize(
    ("known", "title", "source"),
    [
        ({"title": "Laura (1944)", "description": "A film noir.", "brand": "Fox"}, "Laura (1944)", None),
        (
            {"description": "Allure is the beauty expert. " + LONG},
            "Allure is the beauty expert.",
            "description",
        ),
        ({"description": "Dr. No. " + LONG}, None, "description"),
        ({"description": LONG}, None, "description"),
        ({"description": "A quiet year"}, "A quiet year", "description"),
        ({"description": "夜" * 200}, "夜" * 71 + "…", "description"),
        ({"description": " ---\n ", "brand": "Fox"}, "Fox", "brand"),
        ({"brand": "Fox", "category": "Films | Noir", "main_cat": "Movies & TV"}, "Fox: Noir", "brand"),
        ({"category": "Films | Noir"}, "Noir", "category"),
        ({"main_cat": "Movies & TV"}, "Movies & TV", "category"),
        ({}, None, None),
    ],
)
def test_a_movie_without_a_title_is_named_by_what_is_known_of_it(known, title, source):
    [card] = cards([known])
    assert card["title_source"] == source
    if title is None and source == "description":
        shown = card["title"].removesuffix("…")
        assert 20 <= len(shown) <= 71
        assert card["title"].endswith("…")
        assert known["description"].startswith(shown)
        assert known["description"][len(shown)] == " "
    else:
        assert card["title"] == title


def test_a_card_holds_the_first_words_of_a_description():
    long, short = cards([{"description": LONG}, {"description": "Two\nlines"}])
    assert len(long["description"]) <= 300
    assert long["description"].endswith("…")
    assert LONG.startswith(long["description"].removesuffix("…"))
    assert short["description"] == "Two lines"


def test_the_link_is_amazons_page_where_the_ids_are_amazons():
    found = cards([{"links": ["/gp/bestsellers"]}, {"movie_id": "0805079483"}])
    assert [card["link"] for card in found] == [
        "https://www.amazon.com/dp/B000000000",
        "https://www.amazon.com/dp/0805079483",
    ]


def test_numbers_of_ten_digits_among_amazons_ids_are_amazons() -> None:
    found = cards([{}, {}, {"movie_id": "0298091778"}])
    assert found[2]["link"] == "https://www.amazon.com/dp/0298091778"


@pytest.mark.parametrize("movie_id", ["1", "tt0114709", "0805079484", "b00000000x", "B00000000"])
def test_the_link_is_the_metadatas_where_the_ids_are_those_of_another_shop(movie_id):
    links = ["https://films.example/1", "https://films.example/2"]
    [card] = cards([{"movie_id": movie_id, "links": links}])
    assert (card["link"], card["links"]) == (links[0], links)


def test_nearly_every_magazine_has_a_name_and_a_link(real_data: Path) -> None:
    folder = real_data / "amazon-2018-magazine"
    files = [folder / "Magazine_Subscriptions_5.json.gz"], [folder / "meta_Magazine_Subscriptions.json.gz"]
    config = Config()
    with work_database(config.ingest) as database:
        ingest(database, *files, config.ingest, cold=config.cold)
        for step, least in ((None, 0.95), ("cold_start/join_cold_movies", 0.99)):
            if step is not None:
                run(database, step)
            found = run(database, "tables/movie_cards").fetchnumpy()
            named = [title is not None for title in np.ma.filled(found["title"], None)]
            assert np.mean(named) >= least
            assert all(link.startswith("https://www.amazon.com/dp/") for link in found["link"])
