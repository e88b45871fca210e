"""MovieLens' movie files without a header, line by line, under the names of Amazon's metadata."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
"""The genres of u.item's flags, in their order (u.genre)."""

_NUM_ITEM_FIELDS = 5 + len(_GENRES)
_MOVIE_FILES = ("u.item", "movies.dat", "movies.csv")
_RATING_FILES = ("u.data", "ratings.dat", "ratings.csv")


def item_movie(fields: Sequence[str]) -> dict[str, object] | None:
    """A line of u.item: id | title | release date | video date | address | 19 flags; None if it is not."""
    if len(fields) != _NUM_ITEM_FIELDS:
        return None
    movie_id, title, date, _, link, *flags = fields
    genres = [genre for genre, flag in zip(_GENRES, flags, strict=True) if flag == "1" and genre != "unknown"]
    return {
        "asin": movie_id,
        "title": title,
        "date": date,
        "links": [link] if link else [],
        "category": genres,
    }


def dat_movie(fields: Sequence[str]) -> dict[str, object] | None:
    """A line of movies.dat: id :: title :: genres between bars; None if it is not."""
    if len(fields) != 3:
        return None
    movie_id, title, genres = fields
    return {"asin": movie_id, "title": title, "category": genres.strip().split("|")}


def movie_file_beside(ratings: Path) -> Path | None:
    """The movie file in the folder of a MovieLens ratings file, if there is one.

    Folds such as u1.base belong to u.data's folder as well.
    """
    known = ratings.name in _RATING_FILES or ratings.suffix in {".base", ".test"}
    if not known:
        return None
    beside = (ratings.with_name(name) for name in _MOVIE_FILES)
    return next((path for path in beside if path.is_file()), None)
