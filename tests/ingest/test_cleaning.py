from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.config.sections import IngestConfig
from pipelines.ingest.ingest import ingest
from pipelines.reading.links import links_of
from pipelines.text.repairs import repaired
from pipelines.work import parallel
from pipelines.work.database import add_functions
from pipelines.work.parallel import map_texts

if TYPE_CHECKING:
    import duckdb

ALL = IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1)


def movies_of(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, lines: list[str], columns: str
) -> list[tuple[Any, ...]]:
    reviews, metadata = tmp_path / "reviews.json", tmp_path / "meta.json"
    reviews.write_text(
        "\n".join(
            json.dumps({"reviewerID": reviewer, "asin": movie, "overall": 5})
            for reviewer in ("R1", "R2")
            for movie in ("M1", "M2")
        )
    )
    metadata.write_text("\n".join(lines))
    ingest(database, [reviews], [metadata], ALL)
    return database.execute(f"select {columns} from movies order by movie_row").fetchall()


@pytest.mark.parametrize(
    ("macro", "raw", "value"),
    [
        ("title_text", '<span class="a-size-medium a-color-secondary"', None),
        ("title_text", '<span id="t">Heat <b>(1995)</b></span>', "Heat (1995)"),
        ("title_text", "Tom &amp; Jerry &#39;s", "Tom & Jerry 's"),
        ("title_text", "I <3 You", "I <3 You"),
        ("title_text", ' Magazines" />', "Magazines"),
        ("title_text", "var aPageStart = (new Date()).getTime();", None),
        ("title_text", "var a = 1;\n<head><title>Heat (1995)</title></head>", "Heat (1995)"),
        ("title_text", '<img class="logo" src="a.png" alt="Heat &amp; Dust"/>', "Heat & Dust"),
        ("title_text", '<meta name="title" content="Heat"', "Heat"),
        ("title_text", "The {Hidden} Var iety", "The {Hidden} Var iety"),
        ("title_text", "  two\n spaces ", "two spaces"),
        ("title_text", "\u00a0Heat\u3000", "Heat"),
        ("title_text", " Amélie", "Amélie"),
        ("title_text", "Amélie ", "Amélie"),
        ("title_text", " ", None),
        ("title_text", "", None),
        ("title_text", None, None),
        ("price_of", "$1,234.50", 1234.5),
        ("price_of", "9.99", 9.99),
        ("price_of", " $ 5 - $9.50 ", 5.0),
        ("price_of", "from 14.99", 14.99),
        ("price_of", ".a-box-inner{background-color:#fff}#alohaBuyBoxWidget .selected", None),
        ("price_of", "\n\n\n<script", None),
        ("price_of", "None", None),
        ("price_of", "12,99", 12.99),
        ("price_of", "1.299,00 EUR", 1299.0),
        ("price_of", "1 299,00", 1299.0),
        ("price_of", "1\u00a0299,00 €", 1299.0),
        ("price_of", "1\u202f299,00 €", 1299.0),
        ("price_of", "CHF 1'299.00", 1299.0),
        ("price_of", "EUR 12.99", 12.99),
        ("price_of", "5,00 € - 9,00 €", 5.0),
        ("price_of", "1.234.567,89", 1234567.89),
        ("price_of", "1,234,567", 1234567.0),
        ("price_of", "12,- €", 12.0),
        ("price_of", "free", 0.0),
        ("price_of", "0", 0.0),
        ("price_of", "-5", None),
        ("price_of", "1_000", None),
        ("price_of", "9" * 400, None),
        ("price_of", "1e400", None),
        ("price_of", "12,3,4", None),
        ("rating_of", "4,5", 4.5),
        ("rating_of", "4/5", 4.0),
        ("rating_of", "4 stars", 4.0),
        ("rating_of", "4.0 out of 5 stars", 4.0),
        ("rating_of", "★★★☆☆", 3.0),
        ("rating_of", "1,234", 1234.0),
        ("rating_of", "1_0", None),
        ("rating_of", "0x5", None),
        ("rating_of", "\uff14", None),
        ("rating_of", "NULL", None),
        ("count_of", "1,234", 1234),
        ("count_of", "1.234", 1234),
        ("count_of", "12.0", 12),
        ("count_of", "1.5", None),
        ("count_of", "9" * 400, None),
        ("rank_of", "#1.234 in Filme", 1234),
        ("price_of", "", None),
        ("rank_of", "742 in Magazine Subscriptions (", 742),
        ("rank_of", ">#1,234 in Movies & TV (See Top 100 in Movies & TV)", 1234),
        ("rank_of", "1234", 1234),
        ("rank_of", "unranked", None),
        ("year_of", "Toy Story (1995)", 1995),
        ("year_of", "2001: A Space Odyssey", None),
        ("year_of_date", "01-Jan-1995", 1995),
        ("year_of_date", "October 3, 2006", 2006),
    ],
)
def test_dirty_values_are_cleaned(
    database: duckdb.DuckDBPyConnection, macro: str, raw: str | None, value: object
) -> None:
    add_functions(database)
    assert database.execute(f"select {macro}(raw) from (select $1::varchar as raw)", [raw]).fetchall() == [
        (value,)
    ]


def test_metadata_of_2018_is_cleaned(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    lines = [
        json.dumps({
            "asin": "M1", "title": "Heat &amp; Dust (1983)", "price": "$9.99",
            "rank": [">#1,234 in Movies & TV ("],
            "category": ["Movies &amp; TV", "</span></span>", "Drama"],
            "description": ["One.", "<p>Two.</p>", ""],
            "brand": "Merchant &amp; Ivory", "main_cat": '<img src="x" alt="Movies &amp; TV"/>', "date": "",
            "also_buy": ["M2"], "also_view": [],
            "details": '<div><a href="/dp/1">1</a><a href="#">2</a> <a href="/dp/1">3</a></div>',
        }),
        json.dumps({
            "asin": "M2", "title": '<span class="a-size-medium a-color-secondary"', "price": ".a{color:#fff}",
            "rank": "742 in Movies (", "category": [], "description": "", "brand": "",
            "main_cat": "Movies & TV",
            "date": "October 3, 2006", "also_buy": "", "also_view": "",
            "details": {"Format:": "DVD", "By:": '<a href="/by">x</a>'},
        }),
    ]  # fmt: skip
    columns = "title, price, rank, category, description, brand, main_cat, date, year, also_buy, links"
    assert movies_of(database, tmp_path, lines, columns) == [
        ("Heat & Dust (1983)", 9.99, 1234, "Movies & TV | Drama", "One.\nTwo.",
         "Merchant & Ivory", "Movies & TV", None, 1983, ["M2"], ["/dp/1"]),
        (None, None, 742, None, None, None, "Movies & TV", "October 3, 2006", 2006, None, ["/by"]),
    ]  # fmt: skip


def test_metadata_of_2014_is_python_and_never_run(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    lines = [
        "{'asin': 'M1', 'title': \"It's a \\\"film\\\"\", 'price': 9.49, 'salesRank': {'Music': 55}, "
        "'categories': [['Movies', 'Drama'], ['Movies', 'War']], 'related': {'also_bought': ['M2'], "
        "'buy_after_viewing': ['M3']}}",
        "{'asin': 'M2', 'title': __import__('os').getcwd()}",
    ]
    found = movies_of(database, tmp_path, lines, "title, price, rank, category, also_buy, also_view")
    assert found == [
        ('It\'s a "film"', 9.49, 55, "Movies | Drama | War", ["M2"], ["M3"]),
        (None, None, None, None, None, None),
    ]
    rejected = database.execute("select line, reason from rejected_metadata").fetchall()
    assert rejected == [(2, "not a JSON object")]


def test_metadata_of_2023_is_read(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    line = json.dumps({
        "parent_asin": "M1", "title": "Heat", "main_category": "Movies & TV", "categories": ["Action"],
        "price": 14.99,
        "store": "Al Pacino", "description": [], "average_rating": 1.5, "bought_together": None,
        "details": {"Best Sellers Rank": {"Movies & TV": 9421}, "Release date": "July 1, 1995"},
    })  # fmt: skip
    columns = "title, main_cat, category, price, brand, rank, year, description, average_rating"
    assert movies_of(database, tmp_path, [line], columns)[0] == (
        "Heat", "Movies & TV", "Action", 14.99, "Al Pacino", 9421, 1995, None, 5.0,
    )  # fmt: skip


def test_of_repeated_lines_the_first_value_that_is_one_counts(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    lines = [
        json.dumps({"asin": "M1", "title": "<span", "price": "$2"}),
        json.dumps({"asin": "M1", "title": "Second", "price": "$3"}),
        json.dumps({"asin": "M1", "title": "Third", "brand": "B"}),
        "",
        json.dumps({"asin": "M9", "title": "Not reviewed"}),
        json.dumps({"title": "No id"}),
    ]
    assert movies_of(database, tmp_path, lines, "movie_id, title, price, brand") == [
        ("M1", "Second", 2.0, "B"),
        ("M2", None, None, None),
    ]
    assert database.execute("select count(*) from reviews").fetchall() == [(4,)]


def test_lines_of_metadata_that_describe_no_movie_say_why(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    lines = [
        '{"asin": "M1", "title": "One", "related": "none"}',
        "",
        '{"asin": "M2"}{"asin": "M3"}',
        '[{"asin": "M2"}]',
        '{"asin": " "}',
        '{"asin": "M2", "reviewerID": "R1"}',
        '  {"asin": "M2", "title": "Two", "related": {"also_bought": ["M1"], "also_viewed": null}}',
        '{"asin": "M2", "titl',
    ]
    described = movies_of(database, tmp_path, lines, "movie_id, title, also_buy, also_view")
    assert described == [("M1", "One", None, None), ("M2", "Two", ["M1"], None)]
    rejected = database.execute("select line, reason from rejected_metadata order by line").fetchall()
    assert rejected == [
        (3, "not a JSON object"),
        (4, "not a JSON object"),
        (5, "no movie id"),
        (6, "a review and no movie"),
        (8, "not a JSON object"),
    ]


@pytest.mark.parametrize("function", [links_of, repaired])
def test_many_processes_give_what_one_gives(
    monkeypatch: pytest.MonkeyPatch, function: Callable[[str], object]
) -> None:
    texts = [f"<a href='/{number}'>ü\n{number}</a>" for number in range(7)] + ["{'asin': 'ü'}"]
    alone = map_texts(function, texts)
    monkeypatch.setattr(parallel, "_TEXTS_PER_PROCESS", 2)
    assert map_texts(function, texts, threads=3) == alone


@pytest.mark.parametrize(
    "line", ["{'a': open('x')}", "{'a'", "{'a': 1" + "}" * 9, "{" * 400, "{'a': b'x'}", ""]
)
def test_what_is_no_literal_stays_as_it_is(line: str) -> None:
    assert repaired(line) == line


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        (["1,299", "12.99"], [1299.0, 12.99]),
        (["1,299", "1.299", "12,99", "5"], [1.299, 1299.0, 12.99, 5.0]),
        (["1.299", "899", "12.500"], [1299.0, 899.0, 12500.0]),
        (["1,299", "899"], [1299.0, 899.0]),
        (["1.299", "12.99"], [1.299, 12.99]),
        (["12,99", "1.234,50", "1,29", "1,234.50"], [12.99, 1234.5, 1.29, 1234.5]),
    ],
)
def test_the_prices_of_a_file_have_one_decimal_mark(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, prices: list[str], expected: list[float]
) -> None:
    reviews, metadata = tmp_path / "reviews.csv", tmp_path / "movies.csv"
    reviews.write_text("user,item,rating\n" + "".join(f"u{row},m{row},{row}\n" for row in range(len(prices))))
    metadata.write_text("item;price\n" + "".join(f"m{row};{price}\n" for row, price in enumerate(prices)))
    ingest(database, [reviews], [metadata], ALL)
    found = database.execute("select price from movies order by movie_row").fetchall()
    assert [price for (price,) in found] == expected


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        (["4,5", "4,125", "3"], [4.5, 4.125, 3.0]),
        (["4,125", "3,667", "5"], [4.125, 3.667, 5.0]),
        (["1,234", "999", "12"], [1234.0, 999.0, 12.0]),
    ],
)
def test_a_comma_in_ratings_means_the_same_in_the_whole_file(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, ratings: list[str], expected: list[float]
) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text(
        "user;item;rating\n" + "".join(f"u{row};m{row};{one}\n" for row, one in enumerate(ratings))
    )
    ingest(database, [path], [], ALL)
    found = database.execute("select rating from reviews order by line").fetchall()
    assert [rating for (rating,) in found] == expected


ODD_NUMBERS = [
    "9" * 400,
    "inf",
    "-inf",
    "nan",
    "1e400",
    "-1e400",
    "0x1F",
    "1_000",
    "\uff11\uff12",
    "1e-400",
    "--1",
]


def test_odd_numbers_are_no_wrong_values(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    reviews, metadata = tmp_path / "reviews.csv", tmp_path / "movies.csv"
    rows = [f"u{row},m{row},{row % 5},{odd},{odd}" for row, odd in enumerate(ODD_NUMBERS)]
    bad = [f"u{row},m0,{odd},1500000000,1" for row, odd in enumerate(ODD_NUMBERS)]
    reviews.write_text("\n".join(["user,item,rating,timestamp,vote", *rows, *bad]))
    lines = [f"m{row},Film {row},{odd},{odd},{odd}" for row, odd in enumerate(ODD_NUMBERS)]
    metadata.write_text("\n".join(["item,title,price,rank,year", *lines]))
    accounting = ingest(database, [reviews], [metadata], ALL)
    assert accounting.rejected == len(ODD_NUMBERS) - 1  # 1e-400 is 0, an honest rating.
    assert accounting.times_lost == len(ODD_NUMBERS) - 1  # nan stands for an absent time.
    assert database.execute("select distinct vote from reviews where line <= 12").fetchall() == [(None,)]
    assert database.execute("select distinct price, rank, year from movies").fetchall() == [
        (None, None, None)
    ]
