"""Finds the links in a movie's `details` with BeautifulSoup, in several processes if they are many."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.work.database import open_cursor
from pipelines.work.parallel import map_texts

if TYPE_CHECKING:
    import duckdb

_BATCH = 20_000
"""Movies whose details are in memory at once."""
_NO_LINKS = ("#", "javascript:", "mailto:")
"""Addresses that begin with these lead nowhere."""


def scrape_links(database: duckdb.DuckDBPyConnection, *, threads: int = 0) -> None:
    """Fills `scraped_links` with the links in `described_movies` of the movies in `wanted_movies` (movie_id).

    As many processes as `threads` share the work, or one a core if it is 0.
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
    """Returns the links in the details of one movie, in their order, each once.

    The details are HTML, or a JSON object some of whose values are HTML.

    Example:
        >>> links_of('<div><a href="/dp/1">one</a> <a href=" /dp/1 ">again</a></div>')
        ['/dp/1']
    """
    from bs4 import BeautifulSoup

    links: dict[str, None] = {}
    for html in _html_in(details):
        for anchor in BeautifulSoup(html, "html.parser").find_all("a", href=True):
            link = str(anchor["href"]).strip()
            if link and not link.lower().startswith(_NO_LINKS):
                links[link] = None
    return list(links)


def _html_in(details: str) -> Iterator[str]:
    """Yields the pieces of HTML in a text, which may be JSON."""
    if not details.lstrip().startswith("{"):
        yield details
        return
    try:
        pending: list[object] = [json.loads(details)]
    except (ValueError, RecursionError):
        yield details
        return
    while pending:
        value = pending.pop(0)
        if isinstance(value, dict):
            pending[:0] = value.values()
        elif isinstance(value, list):
            pending[:0] = value
        elif isinstance(value, str) and "<" in value:
            yield value
