from __future__ import annotations

import time
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
        "split_part(title, '|', 2) = 'a' and len(title) > 3",
        "list_has_any(links, ['a', 'b'])",
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
        f"try_cast({'9' * 38} as bigint) is null and price < 1e300",
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
        ("len(list_filter(links, lambda x: x = 'a')) > 0", "list_filter"),
        ("len([x for x in links if x = 'a']) > 0", "may not"),
        ("style -> 'Format' = 'DVD'", "->>"),
        ("list_transform([1], lambda x: " * 14 + "x" + ")" * 14 + " is null", "list_transform"),
        ("replace(replace(title, 'a', 'aaaa'), 'a', 'aaaa') = 'x'", "'replace'"),
        ("concat(title, title) = 'x'", "concat"),
        ("title || title = 'x'", "may not"),
        ("repeat(title, 1000) = 'x'", "repeat"),
        ("levenshtein(title, title) < 3", "levenshtein"),
        ("regexp_replace(title, '', 'aaaa', 'g') = 'x'", "regexp_replace"),
        ("title::blob::bit::varchar = 'x'", "the type BIT"),
        ("title::varchar[]::varchar = 'x'", "the type"),
        ("cast(title as struct(a varchar)) is null", "the type"),
        ("[title]::varchar = 'x'", "only values"),
        ("regexp_matches(title, title)", "pattern in quotes"),
        ("title like title", "pattern in quotes"),
        ("title ilike '%" + "a" * 300 + "'", "at most 300"),
        ("title ~ '(.?){1000}x'", "repeats too much"),
        ("title ~ '((a?){10}){50}x'", "repeats too much"),
        ("price < -" + "9" * 400, "400 digits"),
        ("try_cast(" + "9" * 400 + " as bigint) is null", "400 digits"),
        (" or ".join(["title ~ '(a|b){20}'"] * 20), "too long together"),
        ("title ~ '" + "\\pL" * 60 + "'", "too long together"),
        ("style ->> '$..*' = 'x'", "one field"),
        ("case " * 3 + "price" + " when 1 then 2 when 3 then 4 when 5 then 6 when 7 then 8 end" * 6, "WHEN"),
        ("[" * 501 + "1" + "]" * 501 + " is null", "brackets"),
        ("nullif(" * 12 + "price" + ", 1)" * 12 + " = 2", "within one another"),
        ("(" * 12 + "price" + " between 1 and 2)::int" * 12 + " = 2", "within one another"),
        ("lower(" * 40 + "title" + ")" * 40 + " = 'x'", "within one another"),
        (" or ".join(["price + 1 > 2"] * 400), "operations"),
        ("loewr(title) = 'a'", "did you mean lower"),
        ("(" * 3000 + "true" + ")" * 3000, "brackets"),
        ("not " * 2000 + "true", "."),
    ],
)
def test_what_is_not_a_filter_is_refused(
    connection: duckdb.DuckDBPyConnection, condition: str, expected: str
) -> None:
    with pytest.raises(FilterError, match=expected) as raised:
        check_filter(connection, condition, COLUMNS)
    assert "\n" not in str(raised.value)


def test_every_refusal_is_fast(connection: duckdb.DuckDBPyConnection) -> None:
    nested = "case " * 8 + "price" + (" when 1 then 2" * 10 + " end") * 8 + " = 1"
    brackets = "(" * 4000 + "price", ")" * 4000 + "(" * 4000, "(')'=" * 1500
    for condition in (nested, *brackets, "not " * 2000 + "true", "1+" * 4000 + "1 = 2"):
        began = time.monotonic()
        with pytest.raises(FilterError):
            check_filter(connection, condition, COLUMNS)
        assert time.monotonic() - began < 2


def test_a_condition_that_is_no_text_is_refused(connection: duckdb.DuckDBPyConnection) -> None:
    for condition in (10**5000, True, ["price < 10"], "title = '\udcff'"):
        with pytest.raises(FilterError, match="--where"):
            check_filter(connection, condition, COLUMNS)  # type: ignore[arg-type]


def test_a_misspelt_column_is_named_with_the_option(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(FilterError, match="--where names the column 'pric'"):
        check_filter(connection, "pric < 1", COLUMNS)


def test_a_failure_at_run_time_becomes_one_line() -> None:
    error = filter_failed("price < 'abc'", ValueError("Could not convert\nLINE 1: ..."))
    assert str(error) == "--where \"price < 'abc'\" cannot be used: Could not convert"


def test_the_columns_that_a_condition_names_are_given(connection: duckdb.DuckDBPyConnection) -> None:
    condition = "PRICE < 10 and len(links) > 0 and title is null"
    assert check_filter(connection, condition, COLUMNS) >= {"price", "links", "title"}
    assert check_filter(connection, "true", COLUMNS) == frozenset()
