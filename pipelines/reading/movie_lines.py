"""Turns movie lines that are not JSON into Amazon's metadata: MovieLens' lines and Python literals."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence

from pipelines.work.parallel import map_texts

_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
"""The genres of u.item's flags, in their order (u.genre)."""

NUM_ITEM_FIELDS = 5 + len(_GENRES)
"""Fields of a line of u.item: id, title, two dates, address, and a flag for each genre."""


def item_movie(fields: Sequence[str]) -> dict[str, object] | None:
    """Reads a line of u.item: id | title | release date | video date | address | 19 flags; else None."""
    if len(fields) != NUM_ITEM_FIELDS:
        return None
    movie_id, title, date, _, link, *flags = fields
    genres = [genre for genre, flag in zip(_GENRES, flags, strict=True) if flag == "1" and genre != "unknown"]
    links = [link] if link else []
    return {"asin": movie_id, "title": title, "date": date, "links": links, "category": genres}


def dat_movie(fields: Sequence[str]) -> dict[str, object] | None:
    """Reads a line of movies.dat: id :: title :: genres between bars; else None."""
    if len(fields) != 3:
        return None
    movie_id, title, genres = fields
    return {"asin": movie_id, "title": title, "category": genres.strip().split("|")}


def literals_to_json(text: str) -> str:
    """Turns the lines of a block that are Python literals into JSON; other lines stay as they are."""
    lines = text.split("\n")
    places = [place for place, line in enumerate(lines) if line.startswith("{'")]
    converted = map_texts(literal_to_json, [lines[place] for place in places])
    for place, line in zip(places, converted, strict=True):
        lines[place] = line
    return "\n".join(lines)


def literal_to_json(line: str) -> str:
    """Turns a literal into JSON; a line that is no literal stays as it is, and is rejected as JSON later.

    Example:
        >>> literal_to_json("{'asin': 'B1', 'price': 9.5}")
        '{"asin": "B1", "price": 9.5}'
    """
    try:
        return json.dumps(ast.literal_eval(line.strip()))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return line
