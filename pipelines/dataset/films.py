"""Which movies are one film (its DVD, Blu-ray and VHS, its editions and regions): by titles and by copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.catalogue.titles import Film, film_of_title
from pipelines.work.database import run

if TYPE_CHECKING:
    import duckdb

MIN_COPIES = 2
"""One reviewer alone may write the same of two films."""
MIN_SHARE_COPIED = 0.5
"""Of the reviews of the less reviewed movie: shops copy all of a film's reviews, people a few."""
_MAX_COPIES = 12
_PART_WORDS = frozenset({"season", "series", "volume", "part", "episode", "chapter", "book", "complete"})


def film_rows(titles: Sequence[str | None]) -> NDArray[np.int64]:
    """Numbers the films by their titles alone: int64 [num_movies]; movies with the same number are one film.

    Args:
        titles: of every movie, None where there is none; such a movie is a film of its own.

    >>> film_rows(["Laura", None, "Laura [VHS]", None]).tolist()
    [0, 1, 0, 2]
    """
    known: dict[Film | int, int] = {}
    films = (film_of_title(title) or row for row, title in enumerate(titles))
    return np.fromiter((known.setdefault(film, len(known)) for film in films), np.int64, len(titles))


def variant_films(database: duckdb.DuckDBPyConnection) -> NDArray[np.int64]:
    """Numbers the films of the prepared tables, by titles and by copied reviews: int64 [num_movies].

    Args:
        database: holds `movies` and `reviews`, ingested with `compare_text`.
    """
    rows = database.execute("select title from movies order by movie_row").fetchall()
    columns = run(database, "tables/copied_reviews", max_copies=_MAX_COPIES).fetchnumpy()
    num_copies, num_reviews = np.asarray(columns["num_copies"]), np.asarray(columns["num_reviews"])
    copied = (num_copies >= MIN_COPIES) & (num_copies >= MIN_SHARE_COPIED * num_reviews)
    pairs = np.stack([np.asarray(columns["first_row"]), np.asarray(columns["second_row"])], axis=1)
    return join_films([title for (title,) in rows], pairs[copied])


def join_films(titles: Sequence[str | None], copies: NDArray[np.integer]) -> NDArray[np.int64]:
    """Numbers the films: by titles, then by copied reviews where the titles do not object.

    Args:
        titles: of every movie, None where there is none.
        copies: int [num_pairs, 2], rows of movies with copied reviews, the surest first.

    Returns:
        int64 [num_movies]; movies with the same number are one film.
    """
    numbers = film_rows(titles)
    # What a film is called, by all its titles; those without one let themselves be joined to any.
    called: dict[int, set[Film]] = {}
    for number, title in zip(numbers.tolist(), titles, strict=True):
        if film := film_of_title(title):
            called.setdefault(number, set()).add(film)
    joined: dict[int, int] = {}

    def head(number: int) -> int:
        while number in joined:
            number = joined[number]
        return number

    for first_row, second_row in copies.tolist():
        first, second = head(int(numbers[first_row])), head(int(numbers[second_row]))
        names = (called.get(first, set()), called.get(second, set()))
        if first != second and all(_may_be_one(one, other) for one in names[0] for other in names[1]):
            joined[second] = first
            called[first] = names[0] | names[1]
    return np.array([head(number) for number in numbers.tolist()], dtype=np.int64)


def _may_be_one(first: Film, second: Film) -> bool:
    """Whether two titles may name one film: no other year, and one has words that the other leaves out.

    Shops share reviews among the seasons of a series too, so words that count parts keep titles apart.
    """
    if None not in (first.year, second.year) and first.year != second.year:
        return False
    words = set(first.title.split()), set(second.title.split())
    extra = words[0] ^ words[1]
    return (words[0] <= words[1] or words[1] <= words[0]) and not any(
        word.isdigit() or word in _PART_WORDS for word in extra
    )
