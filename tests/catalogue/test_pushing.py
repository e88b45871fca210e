"""Conditions as a vector database checks them: nothing that DuckDB finds may be lost."""

from typing import Any

import duckdb
import numpy as np
import pytest
from random_vectors import make_vectors
from vector_database import build_milvus

from engine.catalogue.filters import parse_condition
from engine.catalogue.pushing import pushed_part
from indexes.conditions import ColumnTest, Combination, Condition
from indexes.database import Column
from indexes.milvus_index import MilvusIndex, expression_of

KINDS = {"title": "text", "brand": "text", "year": "whole", "price": "number"}
TITLES = (
    "Film noir",
    "100% it's",
    'say "yes"',
    "Ünder the Sea",
    "a_b",
    "back\\slash",
    "",
    None,
    "film noir",
    "Z",
)
NUM_MOVIES = 200


def make_columns() -> dict[str, list[Any]]:
    generator = np.random.default_rng(3)
    return {
        "title": [TITLES[row % len(TITLES)] for row in range(NUM_MOVIES)],
        "brand": [None if row % 3 else f"brand {row % 4}" for row in range(NUM_MOVIES)],
        "year": [None if row % 11 == 0 else 1950 + row % 70 for row in range(NUM_MOVIES)],
        "price": [
            None if row % 5 == 0 else round(float(generator.uniform(0, 30)), 2) for row in range(NUM_MOVIES)
        ],
    }


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    columns = make_columns()
    connection = duckdb.connect()
    connection.execute(
        "create table movies as "
        "select unnest($title::varchar[]) as title, unnest($brand::varchar[]) as brand, "
        "unnest($year::integer[]) as year, unnest($price::double[]) as price, "
        f"unnest(range({NUM_MOVIES})) as movie_row",
        columns,
    )
    return connection


@pytest.fixture(scope="module")
def index() -> MilvusIndex:
    columns = {name: Column(KINDS[name], values) for name, values in make_columns().items()}
    return build_milvus(make_vectors(NUM_MOVIES), columns)


def translated(connection: duckdb.DuckDBPyConnection, condition: str) -> Condition | None:
    return pushed_part(parse_condition(connection, condition), KINDS)


WHOLE = (
    "year < 1990",
    "YEAR >= 1990 and Price <= 9.99",
    "1990 > year",
    "price = 0.5 or price > 20",
    "price < 1e1",
    "year <> 1999",
    "price <> 3 and price > -1.5",
    "title = 'Film noir'",
    "title = '100% it''s'",
    "title = 'say \"yes\"'",
    "title <> 'Z'",
    "title < 'a'",
    "title > 'Z'",
    "title = ''",
    "title like 'Film%'",
    "title like '%noir'",
    "title like '%it''s%'",
    "title like '%\"yes\"%'",
    "title like '%the%' or year < 1960",
    "title like 'Ünder%'",
    "title like 'Z'",
    "title not like '%noir%'",
    "brand in ('brand 1', 'brand 3')",
    "brand not in ('brand 0')",
    "year in (1990, 1991, 2000)",
    "year not in (1990)",
    "year between 1960 and 1970",
    "price between 5 and 10.5",
    "brand is null",
    "price is not null and (brand is null or year < 2000)",
)
"""Conditions of which a database can check all."""


@pytest.mark.parametrize("condition", WHOLE)
def test_a_database_finds_what_duckdb_finds(
    connection: duckdb.DuckDBPyConnection, index: MilvusIndex, condition: str
) -> None:
    pushed = translated(connection, condition)
    assert pushed is not None
    expected = connection.execute(f"select movie_row from movies where {condition} order by 1").fetchnumpy()
    found = index.search_where(make_vectors(2, seed=1), NUM_MOVIES, pushed)
    assert index.count(pushed) == len(expected["movie_row"])
    for rows, scores in zip(found.rows, found.scores, strict=True):
        held = rows >= 0
        assert np.sort(rows[held]).tolist() == expected["movie_row"].tolist()
        assert (rows[~held] == -1).all()
        assert np.isneginf(scores[~held]).all()


@pytest.mark.parametrize(
    "condition",
    [
        "title ilike '%noir%'",
        "title like 'a_b'",
        "title like '%a%b%'",
        "title like '%'",
        "title like 'back\\slash'",
        "title = 'back\\slash'",
        "title = 'line\nbreak'",
        "lower(title) = 'z'",
        "not (year < 1990)",
        "year = 1990.5",
        "year = '1990'",
        "price = '3'",
        "title = 3",
        "price = 1.2345678901234567",
        "price < year",
        "price is distinct from 3",
        "price + 1 < 3",
        "brand = null",
        "brand in ('a', null)",
        "brand in ['a', 'b']",
        "price < 3 or title ilike 'z'",
        "(year < 1990) = true",
        "case when year < 1990 then true end",
    ],
)
def test_what_databases_may_decide_in_other_ways_is_left_to_duckdb(
    connection: duckdb.DuckDBPyConnection, condition: str
) -> None:
    assert translated(connection, condition) is None


def test_of_an_and_the_known_parts_are_checked(connection: duckdb.DuckDBPyConnection) -> None:
    known = ColumnTest("year", "<", (1990,))
    assert translated(connection, "year < 1990 and title ilike '%noir%'") == known
    both = Combination("or", (known, ColumnTest("price", ">", (3.0,))))
    found = translated(connection, "(year < 1990 and lower(brand) = 'a') or (price > 3 and title ilike 'z%')")
    assert found == both
    assert pushed_part(parse_condition(connection, "year < 1990 and price > 3"), {"year": "whole"}) == known


def test_expressions_are_in_the_language_of_the_database() -> None:
    either = Combination("or", (ColumnTest("price", "is null"), ColumnTest("title", "=", ('a"b\\c',))))
    assert expression_of(either) == '(price is null or title == "a\\"b\\\\c")'
    assert expression_of(ColumnTest("title", "not like", ("%a",))) == (
        '(title is not null and not (title like "%a"))'
    )
