"""A small shop made by hand, for tests of lists: a few hundred movies, some of them variants of one film."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from random_models import BLEND, random_model

from engine.artifact.ids import IdTable, build_id_arrays
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.cards import MovieCards
from engine.catalogue.database import Catalogue
from engine.catalogue.variants import Variants, build_variant_arrays
from engine.lists.maker import ListMaker
from engine.model.histories import History
from engine.model.scorer import Model
from engine.model.values import Reviewer
from engine.search.candidates import CandidateSource
from indexes.exact import ExactIndex
from pipelines.export.catalogue import write_catalogue

NUM_MOVIES, NUM_FILMS, NUM_REVIEWERS = 300, 230, 9
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
        catalogue: Catalogue,
    ) -> None:
        self.movies, self.films, self.counts, self.model = movies, films, counts, model
        self.exact, self.narrow, self.catalogue = exact, narrow, catalogue

    def reviewer(self, number: int) -> Reviewer:
        if number < NUM_REVIEWERS:
            return self.model.reviewer(number)
        return self.model.reviewer(None, History(np.array([5, 90], np.int32), np.array([4, 1], np.int8)))


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
        write_catalogue(connection, writer)
    connection.close()
    return Artifact.open(directory)


def open_shop(directory: Path) -> World:
    """Stocks a shop, always the same one, with its catalogue in a directory."""
    generator = np.random.default_rng(3)
    lengths = [0, 1, 4, 9, 20, 3, 7, NUM_MOVIES, 30]  # one has seen nothing, one everything
    model = random_model(lengths=lengths, num_movies=NUM_MOVIES, share=0.03, blend=BLEND)
    films = np.concatenate([np.arange(NUM_FILMS), generator.integers(0, 40, NUM_MOVIES - NUM_FILMS)])
    films = generator.permutation(films)
    counts = generator.geometric(0.05, NUM_MOVIES)
    movies = random_movies(generator, films, counts)
    artifact = write_movies(movies, directory)
    catalogue = Catalogue(artifact)
    index = ExactIndex(model.relevance.movie_vectors)
    makers = [
        ListMaker(
            model,
            CandidateSource(model, index, num_candidates),
            IdTable(*build_id_arrays([movie["movie_id"] for movie in movies])),
            MovieCards(artifact.array("movie_cards"), artifact.array("movie_card_offsets")),
            catalogue.matching_rows,
            Variants(*build_variant_arrays(films).values()),
            counts.astype(np.int32),
            np.zeros(NUM_MOVIES, dtype=bool),
        )
        for num_candidates in (NUM_MOVIES, 5)
    ]
    return World(movies, films, counts, model, *makers, catalogue)
