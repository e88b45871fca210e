"""Reads the lines of MovieLens' movie files."""

from __future__ import annotations

from collections.abc import Sequence

_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
"""The genres of MovieLens, from the file u.genre, in the order of the genre flags in a line of u.item."""

NUM_ITEM_FIELDS = 5 + len(_GENRES)
"""The number of fields in a line of u.item: id, title, two dates, address, and a 0/1 flag for each genre."""


def item_movie(fields: Sequence[str]) -> dict[str, object] | None:
    """Reads a movie from a u.item line: id, title, release date, video date, address and 19 genre flags.

    Returns None if the number of fields is not NUM_ITEM_FIELDS.
    """
    if len(fields) != NUM_ITEM_FIELDS:
        return None
    movie_id, title, date, _, link, *flags = fields
    genres = [genre for genre, flag in zip(_GENRES, flags, strict=True) if flag == "1" and genre != "unknown"]
    links = [link] if link else []
    return {"asin": movie_id, "title": title, "date": date, "links": links, "category": genres}


def dat_movie(fields: Sequence[str]) -> dict[str, object] | None:
    """Reads a movie from the fields of a movies.dat line: id, title, and genres separated by vertical bars.

    Returns None if the number of fields is not three.
    """
    if len(fields) != 3:
        return None
    movie_id, title, genres = fields
    return {"asin": movie_id, "title": title, "category": genres.strip().split("|")}
