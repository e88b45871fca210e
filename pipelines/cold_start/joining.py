"""Gives cold movies vectors and neighbours from their metadata, and joins them to a trained model."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.artifact.layout import COLD_ARRAYS, COLD_MOVIES, COLD_SECTION, COLD_SLOPES
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.config.sections import ColdConfig, Config
from engine.errors import ArtifactError
from engine.model.scorer import Model
from engine.search.top_lists import exhaustive_lists
from pipelines.cold_start.catalogue import ColdCatalogue
from pipelines.cold_start.certainty import log_scale_shift
from pipelines.cold_start.insertion import insert_movies, insert_reviews
from pipelines.cold_start.mapping import ColdMapping, MovieVectors, learn_mapping
from pipelines.cold_start.neighbours import Described, cold_edges, nearest_movies, similarity_slope
from pipelines.dataset.reviews import Reviews, level_rows_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

logger = logging.getLogger(__name__)

_NUM_NEIGHBOURS = 50
"""Neighbours of a cold movie, and movies that it is a neighbour of."""
_TOP = 10
"""Length of the top lists of which cold movies may take a share."""
_SHIFT_REVIEWERS = 200
"""Reviewers whose top lists decide by how much the biases of cold movies are shifted."""


@dataclass(frozen=True, kw_only=True)
class ColdStart:
    """Holds what it takes to give cold movies a place in a model."""

    mapping: ColdMapping
    slopes: dict[str, float]
    """The weight of one unit of similarity, by the neighbour tables that cold movies join. They do not join
    the rating neighbours, which would repeat what their vectors say."""


class Joined(NamedTuple):
    """A model that holds cold movies, and what placed them."""

    model: Model
    start: ColdStart
    """Its mapping holds the shift of the cold movies' biases."""


def take_in_cold_movies(
    model: Model, reviews: Reviews, catalogue: ColdCatalogue | None, config: Config, writer: ArtifactWriter
) -> tuple[Model, NDArray[np.int64]]:
    """Joins the cold movies of a catalogue, if any, to a trained model; writes what add-movies will need.

    The reviews have the movie rows of the training, and the catalogue the movie rows of the index. Returns
    the model, and when each review of its histories was written: int64 [num_reviews], unix seconds.
    """
    if catalogue is None:
        return model, reviews.times
    start = learn_cold_start(model, catalogue.learned_words, config.seed)
    joined, start = join_cold_movies(
        model, start, catalogue.words, catalogue.new_rows, config.cold, links=catalogue.link_matrix
    )
    level_rows = np.zeros(len(catalogue.ratings), dtype=np.int8)
    if reviews.has_ratings:
        level_rows = level_rows_of(catalogue.ratings, reviews.levels)
    histories, times = insert_reviews(
        joined.histories,
        reviews.times,
        catalogue.reviewer_rows,
        catalogue.review_movie_rows,
        level_rows,
        catalogue.times,
    )
    write_cold(start, catalogue.new_rows, joined.num_movies, writer)
    return replace(joined, histories=histories), times


def learn_cold_start(model: Model, words: csr_array, seed: int) -> ColdStart:
    """Learns from the movies of a trained model what metadata says of a movie's vectors.

    The counted words of the movies are float32 [num_movies, NUM_COLUMNS]; some movies must have any.
    """
    described = np.flatnonzero(np.diff(words.indptr))
    targets = MovieVectors.of(model)
    table = targets.table()
    counts = np.bincount(model.histories.movie_rows, minlength=model.num_movies)
    mapping = learn_mapping(
        words[described], table[described], counts[described], bias_column=targets.bias_column
    )
    if model.rating is not None:
        shift = log_scale_shift(model, words, described, seed)
        mapping = mapping.shifted(targets.log_scale_column, shift)
        logger.debug("Ratings of movies without reviews have a log scale that is %.2f lower", -shift)
    known = describe(mapping, words)
    slopes = {
        name: similarity_slope(neighbours, known, seed)
        for name in COLD_SLOPES
        if (neighbours := getattr(model, name)) is not None
    }
    return ColdStart(mapping=mapping, slopes=slopes)


def describe(mapping: ColdMapping, words: csr_array) -> Described:
    """Weighs and reduces the counted words of movies as the mapping does."""
    weighed = mapping.weigh(words)
    return Described(weighed=weighed, features=mapping.features(weighed))


def join_cold_movies(
    model: Model,
    start: ColdStart,
    words: csr_array,
    new_rows: NDArray[np.integer],
    config: ColdConfig,
    *,
    links: csr_array | None = None,
    reviewed: NDArray[np.bool_] | None = None,
    shift_biases: bool = True,
) -> Joined:
    """Gives cold movies their vectors and neighbours, and inserts them into a model.

    Args:
        model: the model; it is not changed.
        start: what was learned from its movies.
        words: counted words by the rows of the result, float32 [num_old + num_new, NUM_COLUMNS].
        new_rows: int [num_new], the rows that the cold movies get, ascending.
        config: says how much of the lists cold movies may take.
        links: 1 where metadata links two movies, float32 [num_old + num_new, num_old + num_new].
        reviewed: bool [num_old], which old movies were learned from; by default all.
        shift_biases: lower the biases of the cold movies until they take no more than `config.list_share` of
            the top tens; else `start` holds the shift already.
    """
    if len(new_rows) == 0:
        return Joined(model, start)
    is_new = np.zeros(words.shape[0], dtype=bool)
    is_new[new_rows] = True
    described = describe(start.mapping, words)
    cold, targets = described.take(new_rows), MovieVectors.of(model)
    known_rows = np.arange(model.num_movies) if reviewed is None else np.flatnonzero(reviewed)
    among_all = np.flatnonzero(~is_new)[known_rows]
    both_ways = None if links is None else (links + links.T).tocsr()[new_rows][:, among_all].minimum(1)
    nearest = nearest_movies(cold, described.take(among_all), both_ways)
    nearest = nearest._replace(rows=known_rows[nearest.rows])
    edges = {
        name: cold_edges(getattr(model, name), nearest, slope, _NUM_NEIGHBOURS)
        for name, slope in start.slopes.items()
    }
    vectors = targets.split(start.mapping.table(cold.features))
    joined = insert_movies(model, new_rows, vectors, edges)
    if shift_biases:
        shift = _bias_shift(model, joined, new_rows, config.list_share)
        start = replace(start, mapping=start.mapping.shifted(targets.bias_column, shift))
        movie_vectors = joined.relevance.movie_vectors.copy()
        movie_vectors[new_rows, -1] += np.float32(shift)
        joined = replace(joined, relevance=replace(joined.relevance, movie_vectors=movie_vectors))
    logger.info(
        "%s movies without reviews joined the %s reviewed", f"{len(new_rows):,}", f"{len(known_rows):,}"
    )
    return Joined(joined, start)


def _bias_shift(model: Model, joined: Model, new_rows: NDArray[np.integer], share: float) -> float:
    """Finds the shift, at most 0, of biases under which cold movies take at most a share of the top tens."""
    num_reviewers = len(joined.histories)
    spread_rows = np.linspace(0, num_reviewers - 1, min(_SHIFT_REVIEWERS, num_reviewers)).astype(np.int64)
    reviewer_rows = np.unique(spread_rows)
    best_old = exhaustive_lists(model, reviewer_rows, min(_TOP, model.num_movies)).scores
    scores_new = np.stack(
        [joined.rescore(joined.reviewer(int(row)), new_rows).score for row in reviewer_rows]
    )
    count = min(len(new_rows), best_old.shape[1])
    best_new = -np.sort(-scores_new, axis=1)[:, :count]
    # The j-th best cold movie is listed if it beats the old movie that it pushes out.
    margins = (best_new.astype(np.float64) - best_old[:, ::-1][:, :count]).ravel()
    margins = np.sort(margins[np.isfinite(margins)])[::-1]
    allowed = int(share * _TOP * len(reviewer_rows))
    return 0.0 if len(margins) <= allowed else -max(float(margins[allowed]), 0.0)


def write_cold(
    start: ColdStart, cold_rows: NDArray[np.integer], num_movies: int, writer: ArtifactWriter
) -> None:
    """Adds which movies are cold, the arrays of the mapping, and the manifest's section `cold`."""
    is_cold = np.zeros(num_movies, dtype=bool)
    is_cold[cold_rows] = True
    writer.add_array(COLD_MOVIES, is_cold)
    for field, name in COLD_ARRAYS.items():
        writer.add_array(name, getattr(start.mapping, field))
    slopes = {COLD_SLOPES[name]: slope for name, slope in start.slopes.items()}
    writer.add_section(COLD_SECTION, {"movies": len(cold_rows), "slopes": slopes})


def read_cold(artifact: Artifact) -> ColdStart:
    """Reads back what `write_cold` wrote.

    Raises:
        ArtifactError: the index was built without metadata, or without cold movies.
    """
    if COLD_SECTION not in artifact.manifest:
        raise ArtifactError(
            f"The index at {artifact.directory} cannot take in movies without reviews: it was built without "
            "metadata that describes the movies reviewed; build it again with --metadata FILE"
        )
    arrays = {field: np.asarray(artifact.array(name)) for field, name in COLD_ARRAYS.items()}
    slopes = artifact.manifest[COLD_SECTION]["slopes"]
    return ColdStart(
        mapping=ColdMapping(**arrays),
        slopes={name: slopes[key] for name, key in COLD_SLOPES.items() if key in slopes},
    )
