"""What metadata says about movies as counted words; each is hashed to a column, so none need be kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats

if TYPE_CHECKING:
    import duckdb
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


_BATCH = 10_000


FEWEST_DESCRIBED = 20
"""With fewer movies that are both described and reviewed nothing can be learned from descriptions."""


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


def read_words(database: duckdb.DuckDBPyConnection) -> csr_array:
    """The counted words of all movies of the table `movies`, float32 [num_movies, NUM_COLUMNS]."""
    return count_words(_movies(database))


def _movies(database: duckdb.DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    result = database.execute(f"select {', '.join(TEXT_COLUMNS)} from movies order by movie_row")
    while batch := result.fetchmany(_BATCH):
        yield from (dict(zip(TEXT_COLUMNS, row, strict=True)) for row in batch)


class WordFeatures(NamedTuple):
    """Words that are known, and what they are reduced to; latent semantic analysis."""

    columns: NDArray[np.int32]
    """int32 [num_words], their hash columns."""
    rarities: Floats
    """float32 [num_words], see TF-IDF."""
    components: Floats
    """float32 [num_words, num_features], by which weighed words are multiplied."""


def learn_features(words: csr_array, max_words: int, num_features: int) -> WordFeatures:
    """Learns which words are known, how rare they are, and which ones go together.

    Args:
        words: counted words, float32 [num_movies, NUM_COLUMNS].
        max_words: the most common words are known, so many of them.
        num_features: how many numbers a movie gets; fewer where there are few words or movies.
    """
    from sklearn.decomposition import TruncatedSVD

    found = np.bincount(words.indices, minlength=words.shape[1])
    columns = np.flatnonzero(found >= 2)
    if len(columns) > max_words:
        columns = np.sort(columns[np.argsort(-found[columns], kind="stable")[:max_words]])
    rarities = np.log((1 + words.shape[0]) / (1 + found[columns])).astype(np.float32)
    dim = min(num_features, len(columns) - 1, words.shape[0] - 2)
    components = np.zeros((len(columns), 0), dtype=np.float32)
    if dim >= 1:
        weighed = weigh_words(words[:, columns], rarities)
        components = TruncatedSVD(dim, random_state=0).fit(weighed).components_.T.astype(np.float32)
    return WordFeatures(columns.astype(np.int32), rarities, components)


def weigh_words(counts: csr_array, rarities: Floats) -> csr_array:
    """Weighs counts by rarity and gives each movie the length 1, or 0 where it has no word.

    Args:
        counts: float32 [num_movies, num_words], of known words.
        rarities: float32 [num_words].
    """
    weighed = counts.copy()
    weighed.data = weighed.data * rarities[weighed.indices]
    lengths = np.sqrt(weighed.multiply(weighed).sum(axis=1))
    weighed.data = weighed.data / np.repeat(np.maximum(lengths, 1e-9), np.diff(weighed.indptr))
    return weighed
