"""Finds the links in the HTML of movies' field `details`; several processes share the work on many movies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.work.database import open_cursor
from pipelines.work.parallel import map_texts

if TYPE_CHECKING:
    import duckdb

_BATCH = 20_000
"""The number of movies whose field `details` is in memory at the same time."""
_LONGEST_HTML = 100_000
"""The number of characters at the start of a text in which links are searched; the rest of the text is
ignored."""
_MOST_LINKS = 1_000
"""The largest number of links that are read from a text; `links_of_addresses` in `cleaning.sql` has the same
limit."""
_NO_LINKS = ("#", "javascript:", "mailto:")
"""The beginnings of addresses that lead to no other page; links with such an address are left out."""


def scrape_links(database: duckdb.DuckDBPyConnection, *, threads: int = 0) -> None:
    """Finds the links in the HTML of movies' metadata, and adds the links to the table `scraped_links`.

    The HTML is read from the column `details` of the view `described_movies`, for the movies in the table
    `wanted_movies`. At most `threads` child processes share the work, or one child process per core if
    `threads` is 0.
    """
    reader = open_cursor(database)
    reader.execute(
        "select movie_id, details from described_movies semi join wanted_movies using (movie_id) "
        "where details is not null order by movie_id"
    )
    while rows := reader.fetchmany(_BATCH):
        found = map_texts(links_of, [details for _, details in rows], threads=threads)
        scraped = [(movie_id, links) for (movie_id, _), links in zip(rows, found, strict=True) if links]
        database.execute(
            "insert into scraped_links select unnest($movie_ids::varchar[]), unnest($links::varchar[][])",
            {"movie_ids": [movie_id for movie_id, _ in scraped], "links": [links for _, links in scraped]},
        )


def links_of(details: str) -> list[str]:
    """Returns the address of every link in a movie's field `details` once, in order of first appearance.

    The metadata field `details` of a movie holds HTML, or a JSON object in which some values are HTML. Spaces
    around an address are removed. Addresses that begin in one of the ways in _NO_LINKS, such as "mailto:",
    are left out.

    Example:
        >>> links_of('<div><a href="/dp/1">one</a> <a href=" /dp/1 ">again</a></div>')
        ['/dp/1']
    """
    from bs4 import BeautifulSoup

    links: dict[str, None] = {}
    for html in _html_in(details):
        # An unended tag is cut off, because the parser's time grows with the square of the length of the tag.
        whole = html[: html.rfind(">", 0, _LONGEST_HTML) + 1]
        for anchor in BeautifulSoup(whole, "html.parser").find_all("a", href=True, limit=_MOST_LINKS):
            link = str(anchor["href"]).strip()
            if link and not link.lower().startswith(_NO_LINKS):
                links[link] = None
    return list(links)


def _html_in(details: str) -> Iterator[str]:
    """Yields the parts of a movie's metadata field `details` that may be HTML.

    If `details` is a JSON object, every string in the object that contains "<" is yielded. If `details` is
    not a JSON object, the whole text of `details` is yielded.
    """
    if not details.lstrip().startswith("{"):
        yield details
        return
    try:
        pending: list[object] = [json.loads(details)]
    except (ValueError, RecursionError):
        yield details
        return
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(reversed(value.values()))
        elif isinstance(value, list):
            pending.extend(reversed(value))
        elif isinstance(value, str) and "<" in value:
            yield value
