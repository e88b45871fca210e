"""Counts and weighs the words of movie metadata; a word is hashed to a column, so no vocabulary is kept."""

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
"""Columns that words are hashed to: enough that few words share one."""
MAX_WORDS = 50_000
"""Words that are known, at most: the most common ones."""
NUM_FEATURES = 128
"""Numbers that a movie's words are reduced to."""
TEXT_COLUMNS = ("title", "category", "main_cat", "brand", "description", "price", "year")
"""Columns of the table `movies` that words are taken from."""
FEWEST_DESCRIBED = 20
"""Movies with words and reviews below which nothing is learned from words."""

_WORD = re.compile(r"[^\W_]+")
_YEAR_BEHIND = re.compile(r"\(\d{4}\)\s*$")
_DESCRIPTION_WORDS = 80
"""Words read of a description; the later ones say less and take time."""
_SPANS_OF_YEARS = ((1, 0), (5, 0), (5, 2), (10, 0), (20, 5))
"""Widths and shifts of the spans that a year lies in, so that near years share more spans."""
_CHEAPEST = 0.5
"""Lowest price told apart, as the logarithm of 0 is not finite."""
_BATCH = 10_000
"""Movies read out of the database at once."""


def words_of(movie: Mapping[str, Any]) -> Iterator[str]:
    """Returns the words of one movie's metadata, each with the name of the field as a prefix.

    A category and a brand count as one word each. A price gives its order of magnitude, a year the spans of
    years that it lies in. Any of the TEXT_COLUMNS may be missing or None.

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
    """Counts the words of all movies of the table `movies`: float32 [num_movies, NUM_COLUMNS]."""
    result = database.execute(f"select {', '.join(TEXT_COLUMNS)} from movies order by movie_row")
    batches = iter(lambda: result.fetchmany(_BATCH), [])
    return count_words(dict(zip(TEXT_COLUMNS, row, strict=True)) for batch in batches for row in batch)


class WordFeatures(NamedTuple):
    """Reduces known words to a few features by latent semantic analysis."""

    columns: NDArray[np.int32]
    """int32 [num_words], hash columns of the known words."""
    rarities: Floats
    """float32 [num_words], inverse document frequencies, as in TF-IDF."""
    components: Floats
    """float32 [num_words, num_features]; weighed words times these are features."""


def learn_features(words: csr_array) -> WordFeatures:
    """Learns to reduce the counted words of movies to a few numbers a movie.

    Learned are the vocabulary, the rarity of each word, and the reduction.
    """
    from sklearn.decomposition import TruncatedSVD

    found = np.bincount(words.indices, minlength=words.shape[1])
    columns = np.flatnonzero(found >= 2)
    if len(columns) > MAX_WORDS:
        columns = np.sort(columns[np.argsort(-found[columns], kind="stable")[:MAX_WORDS]])
    rarities = np.log((1 + words.shape[0]) / (1 + found[columns])).astype(np.float32)
    dim = min(NUM_FEATURES, len(columns) - 1, words.shape[0] - 2)
    components = np.zeros((len(columns), 0), dtype=np.float32)
    if dim >= 1:
        weighed = weigh_words(words[:, columns], rarities)
        components = TruncatedSVD(dim, random_state=0).fit(weighed).components_.T.astype(np.float32)
    return WordFeatures(columns.astype(np.int32), rarities, components)


def weigh_words(counts: csr_array, rarities: Floats) -> csr_array:
    """Weighs counts of known words by rarity and scales each movie to length 1, or 0 without words."""
    weighed = counts.copy()
    weighed.data = weighed.data * rarities[weighed.indices]
    lengths = np.sqrt(weighed.multiply(weighed).sum(axis=1))
    weighed.data = weighed.data / np.repeat(np.maximum(lengths, 1e-9), np.diff(weighed.indptr))
    return weighed
