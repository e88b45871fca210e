"""Finds movies that are variants of one film (DVD, VHS, editions, regions), by titles and copied reviews."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows
from engine.catalogue.titles import TitledFilm, film_of_title
from pipelines.work.database import run

if TYPE_CHECKING:
    import duckdb

MIN_COPIES = 2
"""Two movies count as one film only if they share at least this number of copied reviews; one copied review
is not enough, because a reviewer may repeat a text for two films."""
MIN_SHARE_COPIED = 0.5
"""Two movies count as one film only if at least this share of the reviews of the less reviewed movie are
copied reviews. The share of copied reviews is high for variants of one film, because shops copy all reviews
between variants. The share of copied reviews is low for two films, because a reviewer repeats a text for a
few films at most."""
_MAX_COPIES = 12
"""If a reviewer wrote one text about more than this number of movies, the text is a stock phrase, and the
reviews with the text do not count as copies."""
_PART_WORDS = frozenset({"season", "series", "volume", "part", "episode", "chapter", "book", "complete"})
"""Words such as "season", by which titles name one part of a series or of a film."""


def film_rows(titles: Sequence[str | None]) -> Rows:
    """Groups movies into films by title, and returns the film number of each movie: int64 [num_movies].

    Movies that are variants of one film get the same film number, and all other movies get different film
    numbers. A movie without a title (None) is a film of its own.

    >>> film_rows(["Laura", None, "Laura [VHS]", None]).tolist()
    [0, 1, 0, 2]
    """
    known: dict[TitledFilm | int, int] = {}
    films = (film_of_title(title) or row for row, title in enumerate(titles))
    return np.fromiter((known.setdefault(film, len(known)) for film in films), np.int64, len(titles))


def variant_films(database: duckdb.DuckDBPyConnection) -> Rows:
    """Groups movies into films by titles and copied reviews; returns film numbers, int64 [num_movies].

    The function reads the tables `movies` and `reviews`, which `ingest` must have written into the work
    database with the argument `compare_text=True`.
    """
    rows = database.execute("select title from movies order by movie_row").fetchall()
    columns = run(database, "tables/copied_reviews", max_copies=_MAX_COPIES).fetchnumpy()
    num_copies, num_reviews = np.asarray(columns["num_copies"]), np.asarray(columns["num_reviews"])
    copied = (num_copies >= MIN_COPIES) & (num_copies >= MIN_SHARE_COPIED * num_reviews)
    pairs = np.stack([np.asarray(columns["first_row"]), np.asarray(columns["second_row"])], axis=1)
    return join_films([title for (title,) in rows], pairs[copied])


def join_films(titles: Sequence[str | None], copies: NDArray[np.integer]) -> Rows:
    """Groups movies into films by titles and given pairs of movies; returns film numbers, int64 [num_movies].

    Each row of the array `copies`, int [num_pairs, 2], holds the movie rows of two movies that share copied
    reviews. The rows of `copies` are sorted: the two movies that share the most copied reviews come first,
    because such movies are most likely to be variants of one film. The two movies of one row of `copies`
    become one film, unless their titles name different films.
    """
    numbers = film_rows(titles)
    # The dictionary `called` holds the known titles of each film number. A film without titles may be joined
    # to any film.
    called: dict[int, set[TitledFilm]] = {}
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


def _may_be_one(first: TitledFilm, second: TitledFilm) -> bool:
    """Tells whether two titles may name one film.

    Two titles with different years name two films. Two titles also name two films if each title has a word
    that the other title lacks.

    Titles that differ in a number, or in a word of `_PART_WORDS` such as "season", name two films. Two
    seasons of a series stay two films even if they share reviews, because shops copy reviews between seasons.
    """
    if None not in (first.year, second.year) and first.year != second.year:
        return False
    words = set(first.title.split()), set(second.title.split())
    are_parts = any(word.isdigit() or word in _PART_WORDS for word in words[0] ^ words[1])
    return not are_parts and (words[0] <= words[1] or words[1] <= words[0])
