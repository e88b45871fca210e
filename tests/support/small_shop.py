"""A small shop made by hand, for tests of lists: a few hundred movies, some of them variants of one film."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from engine.artifact.ids import IdTable, build_id_arrays
from engine.artifact.layout import CATALOG_FILE
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.cards import MovieCards
from engine.catalogue.database import Catalog
from engine.catalogue.variants import Variants, build_variant_arrays
from engine.lists.maker import ListMaker
from engine.model.heads import RatingHead, RelevanceHead
from engine.model.histories import Histories, History
from engine.model.neighbours import NeighbourTable
from engine.model.scorer import Blend, Model, Reviewer
from engine.search.candidates import CandidateSource
from indexes.exact import ExactIndex
from pipelines.export.catalogue import write_catalog

NUM_MOVIES, NUM_FILMS, NUM_REVIEWERS, DIM = 300, 230, 9, 6
LEVELS = np.arange(1, 6, dtype=np.float32)
FORMATS = ("", " [Blu-ray]", " [DVD]", " VHS", " (Special Edition) [Blu-ray]")

Movie = dict[str, Any]


class World:
    """A small shop: its movies, its model, and two ways to ask it for lists.

    `exact` takes every movie for a candidate, `narrow` the nearest five. No dataclass, for Hypothesis
    prints its fields.
    """

    def __init__(
        self,
        movies: list[Movie],
        films: np.ndarray,
        counts: np.ndarray,
        model: Model,
        exact: ListMaker,
        narrow: ListMaker,
        catalog: Catalog,
    ) -> None:
        self.movies, self.films, self.counts, self.model = movies, films, counts, model
        self.exact, self.narrow, self.catalog = exact, narrow, catalog

    def reviewer(self, number: int) -> Reviewer:
        if number < NUM_REVIEWERS:
            return self.model.reviewer(number)
        return self.model.reviewer(None, History(np.array([5, 90], np.int32), np.array([4, 1], np.int8)))


def random_table(generator: np.random.Generator) -> NeighbourTable:
    present = generator.random((NUM_MOVIES, NUM_MOVIES)) < 0.03
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    weights = generator.random(int(present.sum())).astype(np.float32)
    return NeighbourTable(offsets, np.nonzero(present)[1].astype(np.int32), weights)


def random_model(generator: np.random.Generator) -> Model:
    def normal(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    lengths = np.array([0, 1, 4, 9, 20, 3, 7, NUM_MOVIES, 30])  # one has seen nothing, one everything
    movies = np.concatenate([generator.permutation(NUM_MOVIES)[:length] for length in lengths])
    return Model(
        relevance=RelevanceHead(
            movie_vectors=normal(NUM_MOVIES, DIM + 1),
            history_vectors=normal(NUM_MOVIES, DIM),
            reviewer_embeddings=normal(NUM_REVIEWERS, DIM),
            level_weights=normal(5),
            recency_power=0.4,
            max_history=8,
        ),
        rating=RatingHead(
            levels=LEVELS,
            movie_vectors=normal(NUM_MOVIES, DIM + 2) / 2,
            history_vectors=normal(NUM_MOVIES, 2 * DIM) / 4,
            reviewer_biases=normal(NUM_REVIEWERS, 2) / 2,
            baselines=3 + normal(NUM_MOVIES) / 2,
            thresholds=np.array([-3, -1, 1, 3], np.float32),
            dot_weights=normal(DIM) / 2,
            kernels=[normal(3 * DIM, 4) / 3, normal(4, 2) / 3],
            biases=[normal(4), np.array([-0.5, -0.5], np.float32)],
        ),
        neighbours=random_table(generator),
        chosen_neighbours=None,
        rating_neighbours=random_table(generator),
        histories=Histories(
            np.concatenate([[0], np.cumsum(lengths)]),
            movies.astype(np.int32),
            generator.integers(0, 5, len(movies)).astype(np.int8),
        ),
        blend=Blend(like_rating=4.0, neighbour_weight=0.7, like_weight=0.5, rating_neighbour_weight=0.3),
    )


def random_movies(generator: np.random.Generator, films: np.ndarray, counts: np.ndarray) -> list[Movie]:
    return [
        {
            "movie_row": row,
            "movie_id": f"M{row:03d}",
            "title": f"Film {films[row]}{FORMATS[row % len(FORMATS)]}",
            "price": None if row % 11 == 0 else float(generator.integers(2, 30)),
            "year": int(generator.integers(1950, 2020)),
            "movie_count": int(counts[row]),
        }
        for row in range(NUM_MOVIES)
    ]


def write_movies(movies: list[Movie], directory: Path) -> Artifact:
    connection = duckdb.connect()
    connection.execute(
        "create table movies (movie_row integer, movie_id varchar, title varchar, price double, "
        "year integer, movie_count integer, category varchar, main_cat varchar, description varchar, "
        "brand varchar, rank integer, date varchar, links varchar[], average_rating double)"
    )
    connection.executemany(
        "insert into movies (movie_row, movie_id, title, price, year, movie_count) values (?, ?, ?, ?, ?, ?)",
        [list(movie.values()) for movie in movies],
    )
    with ArtifactWriter(directory) as writer:
        write_catalog(connection, writer)
    connection.close()
    return Artifact.open(directory)


def open_shop(directory: Path) -> World:
    """Stocks a shop, always the same one, with its catalogue in a directory."""
    generator = np.random.default_rng(3)
    model = random_model(generator)
    films = np.concatenate([np.arange(NUM_FILMS), generator.integers(0, 40, NUM_MOVIES - NUM_FILMS)])
    films = generator.permutation(films)
    counts = generator.geometric(0.05, NUM_MOVIES)
    movies = random_movies(generator, films, counts)
    artifact = write_movies(movies, directory)
    catalog = Catalog(artifact.file(CATALOG_FILE))
    index = ExactIndex(model.relevance.movie_vectors)
    makers = [
        ListMaker(
            model,
            CandidateSource(model, index, num_candidates),
            IdTable(*build_id_arrays([movie["movie_id"] for movie in movies])),
            MovieCards(artifact.array("movie_cards"), artifact.array("movie_card_offsets")),
            catalog,
            Variants(*build_variant_arrays(films).values()),
            counts.astype(np.int32),
        )
        for num_candidates in (NUM_MOVIES, 5)
    ]
    return World(movies, films, counts, model, *makers, catalog)
