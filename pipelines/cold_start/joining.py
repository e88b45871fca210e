"""Computes vectors and neighbours of cold movies (without reviews), and adds cold movies to a model."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows
from engine.artifact.arrays import are_rows, damage_of
from engine.artifact.layout import COLD_ARRAYS, COLD_MOVIES, COLD_SECTION, COLD_SLOPES
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.config.sections import ColdConfig, Config
from engine.errors import ArtifactError
from engine.model.heads import ColdDoubts
from engine.model.scorer import Model
from pipelines.cold_start.catalogue import ColdCatalogue
from pipelines.cold_start.certainty import log_scale_shift, relevance_errors, vectors_as_if_cold
from pipelines.cold_start.insertion import insert_movies, insert_reviews
from pipelines.cold_start.mapping import ColdMapping, MovieVectors, learn_mapping
from pipelines.cold_start.neighbours import Described, cold_edges, nearest_movies, similarity_slope
from pipelines.dataset.reviews import Reviews, level_rows_of
from pipelines.dataset.words import FEWEST_DESCRIBED, NUM_COLUMNS

if TYPE_CHECKING:
    from scipy.sparse import csr_array

logger = logging.getLogger(__name__)

_NUM_NEIGHBOURS = 50
"""The largest number of neighbours of a cold movie; also, the largest number of movies that have one cold
movie as a neighbour."""
_SAMPLED_REVIEWERS = 200
"""The number of reviewers for whom `_doubted` computes by how much cold movies' relevance is lowered."""


@dataclass(frozen=True, kw_only=True)
class ColdStart:
    """Holds the learned parameters with which the vectors and neighbours of cold movies are computed."""

    mapping: ColdMapping
    slopes: dict[str, float]
    """For each neighbour table, the number that is multiplied with the metadata similarity of two movies to
    estimate their weight in the table. The dictionary has no number for `Model.rating_neighbours`, the table
    of movies with correlated ratings, because cold movies are not added to `Model.rating_neighbours`.
    Neighbours in `Model.rating_neighbours` that are estimated from metadata would not improve a cold movie's
    predicted ratings. A cold movie's vectors in the rating head, which predicts ratings, are already computed
    from the movie's metadata."""
    errors: Floats | None = None
    """The result of `relevance_errors`; None if the parameters were read from an index, whose model holds the
    result."""


class Joined(NamedTuple):
    """Holds a model that includes cold movies, and the parameters for adding further cold movies."""

    model: Model
    start: ColdStart
    """The learned parameters for adding further cold movies. When a cold movie is added to `model` later, the
    learned parameters predict the movie's bias from metadata. The biases that `start` predicts are already
    lowered by the number `model.doubts.included`, because the relevance of a cold movie is uncertain (see
    `ColdDoubts`)."""


def take_in_cold_movies(
    model: Model, reviews: Reviews, catalogue: ColdCatalogue | None, config: Config, writer: ArtifactWriter
) -> tuple[Model, NDArray[np.int64]]:
    """Adds cold movies to a trained model, and writes to the index what `engine add-movies` needs later.

    Args:
        model: the trained model, which is not changed.
        reviews: the training reviews, in which movie rows are the rows in the trained model.
        catalogue: the metadata of all movies, in which movie rows are the rows in the index; None to add no
            cold movies.
        config: the settings of the build.
        writer: writes the files of the index.

    Returns:
        The model with cold movies, and the time of each review in the model's histories, int64 [num_reviews],
        in unix seconds.
    """
    if catalogue is None:
        return model, reviews.times
    start = learn_cold_start(model, catalogue.learned_words, config.seed)
    joined, start = join_cold_movies(
        model,
        start,
        catalogue.words,
        catalogue.new_rows,
        config.cold,
        links=catalogue.link_matrix,
        num_reviews=catalogue.num_reviews,
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
    write_cold(start, catalogue.new_rows, joined, writer)
    return replace(joined, histories=histories), times


def learn_cold_start(model: Model, words: csr_array, seed: int) -> ColdStart:
    """Learns, on the movies of a trained model, to predict vectors and neighbours of movies from metadata.

    The matrix `words` holds the word counts of the metadata of the model's movies, float32 [num_movies,
    NUM_COLUMNS]; at least one movie must have words.
    """
    described = np.flatnonzero(np.diff(words.indptr))
    targets = MovieVectors.of(model)
    table = targets.table()
    counts = model.histories.movie_counts(model.num_movies)
    mapping = learn_mapping(
        words[described], table[described], counts[described], bias_column=targets.bias_column
    )
    mapped = vectors_as_if_cold(model, mapping, words, described, seed)
    if model.rating is not None:
        shift = log_scale_shift(model, mapped, described, seed)
        mapping = mapping.shifted(targets.log_scale_column, shift)
        logger.debug("Ratings of movies without reviews have a log scale that is %.2f lower", -shift)
    known = describe(mapping, words)
    slopes = {
        name: similarity_slope(neighbours, known, seed)
        for name in COLD_SLOPES
        if (neighbours := getattr(model, name)) is not None
    }
    return ColdStart(mapping=mapping, slopes=slopes, errors=relevance_errors(model, mapped, described))


def describe(mapping: ColdMapping, words: csr_array) -> Described:
    """Computes TF-IDF weights from word counts of metadata, and reduces the weights to a few features.

    The matrix `words` holds the word counts of each movie's metadata. A truncated singular value
    decomposition reduces the TF-IDF weights of a movie to features (latent semantic analysis).
    """
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
    num_reviews: NDArray[np.integer] | None = None,
    with_doubts: bool = True,
) -> Joined:
    """Computes the vectors and neighbours of cold movies, and adds the cold movies to a copy of a model.

    Args:
        model: the model of the old movies, which is not changed.
        start: the parameters that `learn_cold_start` learned from the model's movies.
        words: the word counts of the metadata of all movies of the returned model, in the order of movie
            rows, float32 [num_old + num_new, NUM_COLUMNS].
        new_rows: the rows of the cold movies in the returned model, int [num_new], ascending.
        config: the settings of cold movies, such as the number of standard errors by which relevance is
            lowered.
        links: a matrix with a 1 for each pair of movies that the metadata links, float32 [num_old + num_new,
            num_old + num_new].
        reviewed: marks the old movies on which the model was trained, bool [num_old]; None if the model was
            trained on all old movies.
        num_reviews: the number of reviews that were read of each cold movie, int [num_new]; None if the
            movies are so new that a lack of reviews means nothing.
        with_doubts: whether to lower the relevance of cold movies in proportion to the standard error of the
            relevance; False if `model` and `start` already lower the relevance of cold movies.
    """
    is_new = np.zeros(words.shape[0], dtype=bool)
    is_new[new_rows] = True
    if len(new_rows) == 0:
        if with_doubts and start.errors is not None:  # Later updates of the index may add cold movies.
            model, included = _doubted(model, start.errors, is_new, config.doubt)
            bias_column = MovieVectors.of(model).bias_column
            start = replace(start, mapping=start.mapping.shifted(bias_column, -included))
        return Joined(model, start)
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
    if with_doubts:
        shifts = np.zeros(len(new_rows))
        if num_reviews is not None:
            known = start.mapping.table(described.take(among_all).features)[:, targets.bias_column]
            shifts = np.minimum(shifts, _bias_of_few(model, known_rows, known, num_reviews))
        included = 0.0
        if start.errors is not None:
            joined, included = _doubted(joined, start.errors, is_new, config.doubt)
        movie_vectors = joined.relevance.movie_vectors.copy()
        movie_vectors[new_rows, -1] += (shifts - included).astype(np.float32)
        joined = replace(joined, relevance=replace(joined.relevance, movie_vectors=movie_vectors))
        start = replace(start, mapping=start.mapping.shifted(targets.bias_column, -included))
    logger.info(
        "%s movies without reviews joined the %s reviewed", f"{len(new_rows):,}", f"{len(known_rows):,}"
    )
    return Joined(joined, start)


def _doubted(model: Model, errors: Floats, is_new: NDArray[np.bool_], weight: float) -> tuple[Model, float]:
    """Copies a model, and lowers each cold movie's relevance by `weight` standard errors of the relevance.

    The standard error of a cold movie's relevance differs from reviewer to reviewer. The relevance of a cold
    movie to a reviewer is lowered in two steps:

    1. The caller must subtract the number that `_doubted` returns from the bias of each cold movie, which
       lowers the cold movie's relevance to every reviewer by the same number.
    2. Whenever the returned model computes a cold movie's relevance to a reviewer, the model subtracts the
       part of `weight` times the standard error that exceeds the number subtracted from the bias.

    Args:
        model: the model, which includes the cold movies.
        errors: the matrix that `relevance_errors` returns.
        is_new: marks the cold movies, bool [num_movies].
        weight: the number of standard errors by which the relevance of a cold movie is lowered.

    Returns:
        The copy of the model, and the number to subtract from the biases of the cold movies: `weight` times
        the smallest standard error of a cold movie's relevance in a sample of reviewers.
    """
    doubts = ColdDoubts(is_cold=is_new, errors=np.float32(weight) * errors, included=0.0)
    num_reviewers = len(model.histories)
    spread_rows = np.linspace(0, num_reviewers - 1, min(_SAMPLED_REVIEWERS, num_reviewers)).astype(np.int64)
    rows = np.unique(spread_rows)
    queries = model.relevance.queries(rows, model.histories.take(rows))
    least = float(doubts.of_reviewers(queries).min()) if len(rows) else 0.0
    return replace(model, doubts=replace(doubts, included=least)), least


def _bias_of_few(model: Model, known_rows: Rows, mapped: Floats, num_reviews: NDArray[np.integer]) -> Doubles:
    """Estimates how much lower the bias of a movie is than metadata predicts, if the movie has few reviews.

    A movie's bias is the part of the movie's relevance that is the same for every reviewer. A known movie is
    a movie with training reviews. The array `mapped` holds, for each known movie, the bias that metadata
    predicts. The array `num_reviews` holds the number of reviews of each cold movie.

    A line is fitted to the known movies. The line gives the trained bias of a movie minus the bias that
    metadata predicts for the movie, as a linear function of `log(1 + the movie's number of reviews)`. If the
    slope of the fitted line is negative, the slope counts as 0. The returned array, float64 [num_new], holds
    the value of the fitted line at each cold movie's number of reviews. The returned value of a cold movie
    estimates by how much the bias that metadata predicts for the movie must be changed. If too few movies are
    known, or all known movies have equally many reviews, the function returns zeros.
    """
    counts = model.histories.movie_counts(model.num_movies)[known_rows]
    missed = model.relevance.movie_vectors[known_rows, -1].astype(np.float64) - mapped
    if len(known_rows) < FEWEST_DESCRIBED or counts.min() == counts.max():
        return np.zeros(len(num_reviews))
    slope, level = np.polyfit(np.log1p(counts), missed, 1)
    return np.asarray(level + max(float(slope), 0.0) * np.log1p(num_reviews), dtype=np.float64)


def write_cold(
    start: ColdStart, cold_rows: NDArray[np.integer], model: Model, writer: ArtifactWriter
) -> None:
    """Writes to an index which movies are cold, and the parameters that predict vectors of cold movies.

    Arrays of the index hold the mapping from words to vectors. The section `cold` of the manifest holds the
    number of cold movies, the slopes of `ColdStart.slopes`, and the number by which the predicted biases of
    cold movies are already lowered.
    """
    is_cold = np.zeros(model.num_movies, dtype=bool)
    is_cold[cold_rows] = True
    writer.add_array(COLD_MOVIES, is_cold)
    for field, name in COLD_ARRAYS.items():
        writer.add_array(name, getattr(start.mapping, field))
    slopes = {COLD_SLOPES[name]: slope for name, slope in start.slopes.items()}
    doubt = {} if model.doubts is None else {"doubt": model.doubts.included}
    writer.add_section(COLD_SECTION, {"movies": len(cold_rows), "slopes": slopes, **doubt})


def read_cold(artifact: Artifact, model: Model) -> ColdStart:
    """Reads from an index the parameters that predict the vectors and neighbours of cold movies.

    The function `write_cold` writes the parameters that predict vectors and neighbours to the index.

    Raises:
        ArtifactError: the index holds no parameters for cold movies, because metadata described too few
            movies; or the stored parameters do not fit the model.
    """
    if COLD_SECTION not in artifact.manifest:
        raise ArtifactError(
            f"The index at {artifact.directory} cannot take in movies without reviews: it was built without "
            "metadata that describes the movies reviewed; build it again with --metadata FILE"
        )
    arrays = {field: np.asarray(artifact.array(name)) for field, name in COLD_ARRAYS.items()}
    slopes = artifact.section(COLD_SECTION)["slopes"]
    start = ColdStart(
        mapping=ColdMapping(**arrays),
        slopes={name: slopes[key] for name, key in COLD_SLOPES.items() if key in slopes},
    )
    num_targets = sum(MovieVectors.of(model).widths)
    fits = len(start.mapping.intercepts) == num_targets and are_rows(start.mapping.columns, NUM_COLUMNS)
    if not fits or any(getattr(model, name) is None for name in start.slopes):
        raise damage_of("parameters that describe cold movies")
    return start
