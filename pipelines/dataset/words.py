"""Counts the words of movie metadata, weights the words by rarity, and reduces the words to features."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, k_highest

if TYPE_CHECKING:
    import duckdb
    from scipy.sparse import csr_array

NUM_COLUMNS = 2**18
"""The number of columns of a matrix of word counts; words are hashed to columns, and the number of columns is
so large that few words share a column."""
MAX_WORDS = 50_000
"""The largest number of words in the vocabulary that `learn_features` learns; if there are more words, the
most common words are kept."""
NUM_FEATURES = 128
"""The largest number of features to which latent semantic analysis reduces the words of a movie."""
TEXT_COLUMNS = ("title", "category", "main_cat", "brand", "description", "price", "year")
"""The columns of the table `movies` from which words are taken."""
FEWEST_DESCRIBED = 20
"""A model of metadata words is learned only if at least this number of movies have metadata."""

_WORD = re.compile(r"[^\W_]+")
_YEAR_BEHIND = re.compile(r"\(\d{4}\)\s*$")
_DESCRIPTION_WORDS = 80
"""The number of words at the start of a movie's description that are counted; later words say less about the
movie, and counting later words would take time."""
_SPANS_OF_YEARS = ((1, 0), (5, 0), (5, 2), (10, 0), (20, 5))
"""Divides the release years of movies into spans of years. The first number of a pair is the length of each
span, in years. The second number says how many years before a multiple of the length a span begins: the pair
(5, 2) makes spans such as 1983 to 1987. The nearer two release years are, the more spans contain both release
years."""
_CHEAPEST = 0.5
"""Lower prices of movies are raised to this price before the logarithm is taken, because the logarithm of 0
is not finite."""
_BATCH = 10_000
"""The number of movies that are read from the database in one batch."""


def words_of(movie: Mapping[str, Any]) -> Iterator[str]:
    """Returns the words of a movie's metadata; each word begins with the name of its metadata field.

    Each category of a movie counts as one word, even if the category's name has several words. A movie's
    brand counts as one word, even if the brand's name has several words. A price becomes one word, which
    stands for the price's order of magnitude. A release year becomes several words: one word for each span of
    years that contains the release year. Any of the metadata fields in TEXT_COLUMNS may be missing or None.

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
    """Counts the words of each movie's metadata, as a sparse matrix, float32 [num_movies, NUM_COLUMNS].

    Each word is hashed to a column of the matrix, so several words may share a column. An entry of the matrix
    is `1 + log(count)`, where `count` is how often words that are hashed to the column occur in the movie's
    metadata.
    """
    from scipy.sparse import csr_array
    from sklearn.feature_extraction import FeatureHasher

    hasher = FeatureHasher(NUM_COLUMNS, input_type="string", alternate_sign=False, dtype=np.float32)
    counts = csr_array(hasher.transform(words_of(movie) for movie in movies))
    counts.data = 1 + np.log(counts.data)
    return counts


def read_words(database: duckdb.DuckDBPyConnection) -> csr_array:
    """Reads all movies of the table `movies`, and counts the words of the movies with `count_words`."""
    result = database.execute(f"select {', '.join(TEXT_COLUMNS)} from movies order by movie_row")
    batches = iter(lambda: result.fetchmany(_BATCH), [])
    return count_words(dict(zip(TEXT_COLUMNS, row, strict=True)) for batch in batches for row in batch)


class WordFeatures(NamedTuple):
    """Holds the parameters of a latent semantic analysis, which reduces a movie's words to a few features."""

    columns: NDArray[np.int32]
    """int32 [num_words], the column of each vocabulary word in the matrix that `count_words` returns."""
    rarities: Floats
    """float32 [num_words], the inverse document frequency of each vocabulary word; rare words have high
    numbers."""
    components: Floats
    """float32 [num_words, num_features], the matrix that maps a movie's TF-IDF weights of words to
    features."""


def learn_features(words: csr_array) -> WordFeatures:
    """Learns a vocabulary, inverse document frequencies and a truncated SVD from the counted words of movies.

    The vocabulary has at most MAX_WORDS words, and each word of the vocabulary occurs in the metadata of at
    least two movies.

    Args:
        words: the word counts that `count_words` returns.
    """
    from sklearn.decomposition import TruncatedSVD

    found = np.bincount(words.indices, minlength=words.shape[1])
    columns = np.flatnonzero(found >= 2)
    if len(columns) > MAX_WORDS:
        columns = np.sort(columns[k_highest(found[columns], MAX_WORDS)])
    rarities = np.log((1 + words.shape[0]) / (1 + found[columns])).astype(np.float32)
    dim = min(NUM_FEATURES, len(columns) - 1, words.shape[0] - 2)
    components = np.zeros((len(columns), 0), dtype=np.float32)
    if dim >= 1:
        weighed = weigh_words(words[:, columns], rarities)
        components = TruncatedSVD(dim, random_state=0).fit(weighed).components_.T.astype(np.float32)
    return WordFeatures(columns.astype(np.int32), rarities, components)


def weigh_words(counts: csr_array, rarities: Floats) -> csr_array:
    """Multiplies word counts by the rarities of words, and scales each movie's row to length 1."""
    weighed = counts.copy()
    weighed.data = weighed.data * rarities[weighed.indices]
    lengths = np.sqrt(weighed.multiply(weighed).sum(axis=1))
    weighed.data = weighed.data / np.repeat(np.maximum(lengths, 1e-9), np.diff(weighed.indptr))
    return weighed
