"""What metadata says about movies as counted words; each is hashed to a column, so none need be kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NUM_COLUMNS = 2**18
"""Columns that words are hashed to, so many that few share one."""
TEXT_COLUMNS = ("title", "category", "main_cat", "brand", "description", "price", "year")
"""What is read of a movie."""

_WORD = re.compile(r"[^\W_]+")
_YEAR_BEHIND = re.compile(r"\(\d{4}\)\s*$")
_DESCRIPTION_WORDS = 80
_SPANS_OF_YEARS = ((1, 0), (5, 0), (5, 2), (10, 0), (20, 5))
"""Widths and shifts of the spans that a year lies in, so that near years share more of them."""
_CHEAPEST = 0.5


def words_of(movie: Mapping[str, Any]) -> Iterator[str]:
    """Gives the words of one movie, each with the name of its field.

    A category and a brand stand whole; a price stands for its size, and a year for the spans it lies in.

    Args:
        movie: what is known of `TEXT_COLUMNS`; the rest may be missing or None.

    Example:
        >>> list(words_of({"title": "Laura (1944)", "category": "Crime | Film-Noir"}))
        ['title laura', 'category crime', 'category film-noir']
    """
    title = _YEAR_BEHIND.sub("", movie.get("title") or "")
    yield from (f"title {word}" for word in _WORD.findall(title.lower()))
    for category in (movie.get("category") or "").lower().split(" | "):
        if category:
            yield f"category {category}"
    for field in ("main_cat", "brand"):
        if movie.get(field):
            yield f"{field} {movie[field].lower().strip()}"
    words = _WORD.finditer((movie.get("description") or "").lower())
    yield from (f"description {word[0]}" for word, _ in zip(words, range(_DESCRIPTION_WORDS), strict=False))
    if movie.get("year") is not None:
        year = int(movie["year"])
        yield from (f"years {width} {(year + shift) // width}" for width, shift in _SPANS_OF_YEARS)
    price = movie.get("price")
    if price is not None and np.isfinite(price):
        yield f"price {int(2 * np.log2(max(price, _CHEAPEST)))}"


def count_words(movies: Iterable[Mapping[str, Any]]) -> csr_array:
    """Counts the words of movies, fading repeats: float32 [num_movies, NUM_COLUMNS], `1 + log(count)`."""
    from scipy.sparse import csr_array
    from sklearn.feature_extraction import FeatureHasher

    hasher = FeatureHasher(NUM_COLUMNS, input_type="string", alternate_sign=False, dtype=np.float32)
    counts = csr_array(hasher.transform(words_of(movie) for movie in movies))
    counts.data = 1 + np.log(counts.data)
    return counts
