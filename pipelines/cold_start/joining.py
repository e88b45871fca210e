"""Movies without reviews: they get vectors and neighbours from their metadata, and join a trained model."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.artifact.layout import COLD_MOVIES
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.config.sections import ColdConfig, Config
from engine.errors import ArtifactError
from engine.model.scorer import Model
from engine.search.top_lists import exhaustive_lists
from pipelines.cold_start.catalogue import ColdCatalogue
from pipelines.cold_start.certainty import log_scale_shift
from pipelines.cold_start.insertion import add_reviews, insert_movies
from pipelines.cold_start.mapping import ColdMapping, MovieVectors, learn_mapping
from pipelines.cold_start.neighbours import Described, cold_edges, nearest_movies, similarity_slope
from pipelines.dataset.reviews import Reviews, level_rows_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

logger = logging.getLogger(__name__)

_NEIGHBOUR_TABLES = ("neighbours", "chosen_neighbours")
"""The tables that new movies join; ratings of their neighbours would say what their vectors say already."""
_TOP = 10
_LEVEL_REVIEWERS = 200


SECTION = "cold"
_NAMES = tuple(field.name for field in fields(ColdMapping))


@dataclass(frozen=True, kw_only=True)
class ColdStart:
    """What it takes to give movies without reviews a place in a model.

    Attributes:
        mapping: from words to vectors.
        slopes: by table of neighbours, what a weight is per unit of similarity.
    """

    mapping: ColdMapping
    slopes: dict[str, float]


class Joined(NamedTuple):
    """A model that holds movies without reviews."""

    model: Model
    """With the new movies in their rows."""
    start: ColdStart
    """With the level of the new movies' biases in its mapping."""


def take_in_cold_movies(model: Model, reviews: Reviews, catalogue: ColdCatalogue, config: Config) -> Joined:
    """Learns from a trained model's movies, and gives it those that have too few reviews.

    Args:
        model: trained on the reviews.
        reviews: those, by the rows that the movies had.
        catalogue: all movies, by the rows that they have now.
        config: sizes, and the seed.
    """
    start = learn_cold_start(model, catalogue.learned_words, config.cold, config.seed)
    joined = join_cold_movies(
        model, start, catalogue.words, catalogue.new_rows, config.cold, links=catalogue.link_matrix
    )
    level_rows = np.zeros(len(catalogue.ratings), dtype=np.int8)
    if reviews.has_ratings:
        level_rows = level_rows_of(catalogue.ratings, reviews.levels)
    histories = add_reviews(
        joined.model.histories,
        reviews.times,
        catalogue.reviewer_rows,
        catalogue.review_movie_rows,
        level_rows,
        catalogue.times,
    )
    return joined._replace(model=replace(joined.model, histories=histories))


def learn_cold_start(model: Model, words: csr_array, config: ColdConfig, seed: int) -> ColdStart:
    """Learns from the movies of a model what metadata says of a movie's vectors.

    Args:
        model: a trained one.
        words: the counted words of its movies, float32 [num_movies, NUM_COLUMNS]; some must have any.
        config: sizes.
        seed: of the samples that are taken.

    """
    described = np.flatnonzero(np.diff(words.indptr))
    targets = MovieVectors.of(model)
    table = targets.table()
    counts = np.bincount(model.histories.movie_rows, minlength=model.num_movies)
    mapping = learn_mapping(
        words[described], table[described], counts[described], config, bias_column=targets.bias_column
    )
    if model.rating is not None:
        shift = log_scale_shift(model, words, described, config, seed)
        mapping = mapping.shifted(targets.log_scale_column, shift)
        logger.debug("Ratings of movies without reviews have a log scale that is %.2f lower", -shift)
    known = describe(mapping, words)
    slopes = {
        name: similarity_slope(found, known, seed)
        for name in _NEIGHBOUR_TABLES
        if (found := getattr(model, name)) is not None
    }
    return ColdStart(mapping=mapping, slopes=slopes)


def describe(mapping: ColdMapping, words: csr_array) -> Described:
    """Movies as the mapping sees them, by their counted words."""
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
    level: bool = True,
) -> Joined:
    """Gives movies without reviews their vectors and neighbours, and inserts them into a model.

    Args:
        model: the model; it is not changed.
        start: what was learned from its movies.
        words: counted words of all movies in the order of their rows with the new ones among them, float32
            [num_old + num_new, NUM_COLUMNS].
        new_rows: int [num_new], the rows that the new movies will have, ascending.
        config: sizes.
        links: 1 where metadata links two movies, by the same rows, float32 [num_old + num_new, num_old +
            num_new].
        reviewed: bool [num_old], which of the old ones were learned from; by default all.
        level: lower the new movies' biases until they take no more than `config.list_share` of the top
            tens; else their level is taken as it was chosen before.
    """
    if len(new_rows) == 0:
        return Joined(model, start)
    is_new = np.zeros(words.shape[0], dtype=bool)
    is_new[new_rows] = True
    described = describe(start.mapping, words)
    new, targets = described.take(new_rows), MovieVectors.of(model)
    known_rows = np.arange(model.num_movies) if reviewed is None else np.flatnonzero(reviewed)
    among_all = np.flatnonzero(~is_new)[known_rows]
    both_ways = None if links is None else (links + links.T).tocsr()[new_rows][:, among_all].minimum(1)
    nearest = nearest_movies(new, described.take(among_all), both_ways)
    nearest = nearest._replace(rows=known_rows[nearest.rows])
    edges = {
        name: cold_edges(getattr(model, name), nearest, slope, config.num_neighbours)
        for name, slope in start.slopes.items()
    }
    vectors = targets.split(start.mapping.table(new.features))
    joined = insert_movies(model, new_rows, vectors, edges)
    if level:
        shift = _level_shift(model, joined, new_rows, config.list_share)
        start = replace(start, mapping=start.mapping.shifted(targets.bias_column, shift))
        movie_vectors = joined.relevance.movie_vectors.copy()
        movie_vectors[new_rows, -1] += np.float32(shift)
        joined = replace(joined, relevance=replace(joined.relevance, movie_vectors=movie_vectors))
    logger.info(
        "%s movies without reviews joined the %s reviewed", f"{len(new_rows):,}", f"{len(known_rows):,}"
    )
    return Joined(joined, start)


def _level_shift(model: Model, joined: Model, new_rows: NDArray[np.integer], share: float) -> float:
    """What new movies' biases change by so that they take no more than a share of the top tens, 0 at most."""
    num_reviewers = len(joined.histories)
    spread_rows = np.linspace(0, num_reviewers - 1, min(_LEVEL_REVIEWERS, num_reviewers)).astype(np.int64)
    reviewer_rows = np.unique(spread_rows)
    best_old = exhaustive_lists(model, reviewer_rows, min(_TOP, model.num_movies)).scores
    scores_new = np.stack(
        [joined.rescore(joined.reviewer(int(row)), new_rows).score for row in reviewer_rows]
    )
    count = min(len(new_rows), best_old.shape[1])
    best_new = -np.sort(-scores_new, axis=1)[:, :count]
    # The j-th best new movie is listed if it beats the one that it pushes out.
    flat = (best_new.astype(np.float64) - best_old[:, ::-1][:, :count]).ravel()
    flat = np.sort(flat[np.isfinite(flat)])[::-1]
    allowed = int(share * _TOP * len(reviewer_rows))
    return 0.0 if len(flat) <= allowed else -max(float(flat[allowed]), 0.0)


def write_cold(
    start: ColdStart, new_rows: NDArray[np.integer], num_movies: int, writer: ArtifactWriter
) -> None:
    """Adds which movies have no reviews, the mapping's arrays, and the manifest's section `cold`."""
    is_cold = np.zeros(num_movies, dtype=bool)
    is_cold[new_rows] = True
    writer.add_array(COLD_MOVIES, is_cold)
    for name in _NAMES:
        writer.add_array(f"cold_{name}", getattr(start.mapping, name))
    writer.add_section(SECTION, {"movies": len(new_rows), "slopes": start.slopes})


def read_cold(artifact: Artifact) -> ColdStart:
    """Reads what `write_cold` wrote.

    Raises:
        ArtifactError: the artifact was built without metadata, or without taking in movies without reviews.
    """
    if SECTION not in artifact.manifest:
        raise ArtifactError(
            f"The index at {artifact.directory} cannot take in movies without reviews: it was built without "
            "metadata that describes the movies reviewed; build it again with --metadata FILE"
        )
    mapping = ColdMapping(**{name: np.asarray(artifact.array(f"cold_{name}")) for name in _NAMES})
    return ColdStart(mapping=mapping, slopes=dict(artifact.manifest[SECTION]["slopes"]))
