"""SQL finds the links of plain HTML; BeautifulSoup says what they are, and reads what is not plain."""

from __future__ import annotations

import time
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.reading.links import links_of
from pipelines.synthetic.details import Facts, details_list, details_page
from pipelines.work.database import add_functions, unescape_entities

FACTS = Facts("B000000001", "DVD", "Redwood & Sons", 1_234_567)
PLAIN = (
    '<a href="/dp/1">x</a>', "<a href='/q?a=1&amp;b=2' class=\"c\">", '<A HREF="/U"/>', "<a>", '<a href="">',
    '<a title=" href=" class="x">', '<a data-ref="/no" href="/yes">', '<a download href="/d">', "<br/>",
    '<a href="#">', '<a href="JavaScript:void(0)">', '<a href="mailto:a@b">', '<a\nclass="a"\nhref="/nl">',
    '<script>var a = "<a href=\\"/s\\">";</script>', "<style>a > b {}</style>", "<div>", "</div>", "a > b",
    '<a  href = "/sp" >', "&rsaquo;", '<a href="/it\'s">', '<a href="/v&amp;lt;">', "<b>text</b>",
)  # fmt: skip
DOUBTFUL = (
    '<!-- <a href="/c"> -->', "text < 5", "<a href=/unq>", '<a href="/e&copy=1">', '<a href=" /blank ">',
    "<img src=\"a>b.png\" alt=\"<a href='/in'>\">", '<p class="x"', '<a href="/x" href="/y">', "</script>",
    '<title><a href="/t"></title>', '<script src="x"/>', '<a href="/é">', '<a href="/z" /  >', "<style>",
    '<textarea><a href="/ta"></textarea>', '<a href="/1"class="x">', '<svg><a href="/svg"/></svg>',
    '<a data-href="/no" href="/yes">', '<a href="/c">', "<![CDATA[", "<?php", "<a href='", "]]>", "-->",
)  # fmt: skip


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        add_functions(connection)
        yield connection


def links_by_sql(database: duckdb.DuckDBPyConnection, html: str) -> list[str] | None:
    """The links, or None where the statements leave them to a parser."""
    [(addresses, links)] = database.execute(
        "with tagged as (select anchors_of($html) as anchors), "
        "addressed as (select addresses_of(anchors) as addresses from tagged) "
        "select addresses, links_of_addresses(addresses) from addressed",
        {"html": html},
    ).fetchall()
    return None if addresses is None else links


@given(pieces=st.lists(st.sampled_from(PLAIN + DOUBTFUL), max_size=6))
def test_where_sql_finds_links_they_are_those_of_the_parser(
    database: duckdb.DuckDBPyConnection, pieces: list[str]
) -> None:
    html = "".join(pieces)
    found = links_by_sql(database, html)
    assert found is None or found == links_of(html)


@given(pieces=st.lists(st.sampled_from(PLAIN), max_size=6))
def test_plain_html_needs_no_parser(database: duckdb.DuckDBPyConnection, pieces: list[str]) -> None:
    html = "".join(pieces)
    assert links_by_sql(database, html) == links_of(html)


@pytest.mark.parametrize("html", [details_page(FACTS), details_list(FACTS, ["B1", "B2", "B3", "B4"])])
def test_what_shops_write_needs_no_parser(database: duckdb.DuckDBPyConnection, html: str) -> None:
    found = links_by_sql(database, html)
    assert found == links_of(html)
    assert found


@pytest.mark.parametrize(
    ("details", "links"),
    [
        ("", []),
        ("no markup, href", []),
        ('<a href="/a">A</a><a>none</a><a href="">empty</a><a href="javascript:x()">js</a>', ["/a"]),
        ('<a href=" /b&amp;c ">x</a><div><a href=/d>unclosed', ["/b&c", "/d"]),
        ('{"By:": "<a href=\\"/by\\">x</a>", "n": {"m": ["<a href=\'/deep\'>y</a>", 3]}}', ["/by", "/deep"]),
        ("{not json <a href='/e'>e</a>", ["/e"]),
        ("[" * 5000, []),
    ],
)
def test_links_are_found_in_html_and_in_objects(details: str, links: list[str]) -> None:
    assert links_of(details) == links


@pytest.mark.parametrize("piece", ["<a ", "<a href='", "<!--", "</", '<a x="', "<b>", "[", '{"a":'])
def test_hostile_details_take_little_time(piece: str) -> None:
    began = time.monotonic()
    assert links_of(f'<a href="/dp/1">one</a> {piece * 20_000}') == ["/dp/1"]
    links_of(f"[{'1,' * 100_000}1]")
    assert time.monotonic() - began < 20


def test_a_number_of_many_digits_is_no_letter() -> None:
    assert unescape_entities("&#x" + "f" * 5000 + ";a&#0000065;") == "\N{REPLACEMENT CHARACTER}aA"


def test_very_many_links_take_little_time(database: duckdb.DuckDBPyConnection) -> None:
    for number in (4_000, 100_000):
        html = "".join(f'<a href="/dp/{place}">x</a>' for place in range(number))
        began = time.monotonic()
        found = links_by_sql(database, html)
        assert found is None or found == links_of(html)
        assert len(links_of(html)) == 1_000
        assert time.monotonic() - began < 20
