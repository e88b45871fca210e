from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from engine.catalogue.filters import MAX_LENGTH, check_filter, filter_failed
from engine.errors import FilterError

if TYPE_CHECKING:
    import duckdb

COLUMNS = ("title", "price", "links", "year", "review_time", "style", "average_rating", "verified")


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb

    with duckdb.connect() as opened:
        yield opened


@pytest.mark.parametrize(
    "condition",
    [
        "price < 10",
        "price < 10 and title like '%x%' -- cheap ones",
        "PRICE between 1 and 2 or not verified",
        "lower(title) = 'a''b'",
        "title not ilike 'a%' and title similar to 'x.*'",
        "title like 'a!%' escape '!'",
        "list_contains(links, 'a') and len(links) > 2 and links[1] = 'a'",
        "len(list_filter(links, lambda x: x = 'a')) > 0",
        "len([x for x in links if x = 'a']) > 0",
        "review_time >= date '2018-01-01' and review_time < timestamp '2019-01-01'",
        "review_time > current_date - interval 30 days",
        "extract(year from review_time) = 2018 and year(review_time) = 2018",
        "year in (1994, 1995) and price is not null and title is distinct from 'x'",
        "case when price < 1 then true else average_rating > 4 end",
        "cast(price as varchar) = '1' and try_cast(title as integer) is null and price::integer % 2 = 0",
        "style ->> '$.Format:' = ' DVD'",
        "style->>'Format' = 'DVD'",
        "coalesce(price, 0) < 10 and nullif(title, '') is not null",
        "regexp_matches(title, '^the', 'i') and title ~ 'x'",
        "verified",
        "true",
        "title in ('a', 'b') and not (price > 3)",
        '"price" = -1.5e3',
    ],
)
def test_an_ordinary_condition_passes(connection: duckdb.DuckDBPyConnection, condition: str) -> None:
    check_filter(connection, condition, COLUMNS)
    connection.execute(
        "create or replace temp table filtered (title varchar, price double, links varchar[], year integer, "
        "review_time timestamp, style varchar, average_rating double, verified boolean)"
    )
    connection.execute(f"select * from filtered where ({condition}\n)")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("price <", "not a condition in SQL"),
        ("price < 10; drop table movies", "more than one statement"),
        ("true order by 1", "not a condition in SQL"),
        ("true group by price", "not a condition in SQL"),
        ("true union select 1", "not a condition in SQL"),
        ("true) or (true", "not a condition in SQL"),
        ("true) order by (1", "not a condition in SQL"),
        ("true) union all (select 1", "not a condition in SQL"),
        ("price < 1 /* open", "not a condition in SQL"),
        ("  \n ", "empty"),
        ("x" * (MAX_LENGTH + 1), "characters"),
        ("price in (select 1)", "subquery"),
        ("exists (from movies)", "subquery"),
        ("price < (select max(price) from read_csv('/etc/passwd'))", "subquery"),
        ("row_number() over () = 1", "window"),
        ("columns('p.*') > 1", "star"),
        ("* is null", "star"),
        ("price < $1", "parameter"),
        ("price < ?", "parameter"),
        ("read_text('/etc/passwd') = 'x'", "read_text"),
        ("getenv('HOME') = 'x'", "getenv"),
        ("current_setting('threads') = '1'", "current_setting"),
        ("nextval('s') = 1", "nextval"),
        ("random() < 0.5", "random"),
        ("sleep_ms(1000) is null", "sleep_ms"),
        ("write_log('x') is null", "write_log"),
        ("sum(price) > 2", "sum"),
        ("unnest(links) = 'a'", "unnest"),
        ("pg_get_viewdef(1) = 'x'", "pg_get_viewdef"),
        ("main.lower(title) = 'a'", "lower"),
        ("pric < 1", "did you mean price"),
        ("movies.price < 1", "movies.price"),
        ("title = noir", "single quotes"),
        ("current_user = 'a'", "current_user"),
        ("len(list_filter(links, lambda x: y = 'a')) > 0", "'y'"),
        ("loewr(title) = 'a'", "did you mean lower"),
        ("(" * 3000 + "true" + ")" * 3000, "."),
        ("not " * 2000 + "true", "."),
    ],
)
def test_what_is_not_a_filter_is_refused(
    connection: duckdb.DuckDBPyConnection, condition: str, expected: str
) -> None:
    with pytest.raises(FilterError, match=expected) as raised:
        check_filter(connection, condition, COLUMNS)
    assert "\n" not in str(raised.value)


def test_a_lambda_parameter_is_unknown_outside_its_lambda(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(FilterError, match="'x'"):
        check_filter(connection, "x = 1 and len(list_filter(links, lambda x: x = 'a')) > 0", COLUMNS)


def test_a_misspelt_column_is_named_with_the_option(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(FilterError, match="--where names the column 'pric'"):
        check_filter(connection, "pric < 1", COLUMNS)


def test_a_failure_at_run_time_becomes_one_line() -> None:
    error = filter_failed("price < 'abc'", ValueError("Could not convert\nLINE 1: ..."))
    assert str(error) == "--where \"price < 'abc'\" cannot be used: Could not convert"


def test_the_columns_that_a_condition_names_are_given(connection: duckdb.DuckDBPyConnection) -> None:
    condition = "PRICE < 10 and len(list_filter(links, lambda year: year = 'a')) > 0 and title is null"
    assert check_filter(connection, condition, COLUMNS) >= {"price", "links", "title"}
    assert check_filter(connection, "true", COLUMNS) == frozenset()
