"""The map of movies holds each film once, as its most reviewed variant."""

import numpy as np
import pytest
from made_index import write_index

from engine.catalogue.variants import Variants, build_variant_arrays
from engine.opened import OpenedIndex
from engine.recommender import Engine
from engine.relations.movie_map import map_movies, mapped_movies


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> OpenedIndex:
    return Engine.load(write_index(tmp_path_factory.mktemp("map") / "index")).index


def test_of_each_film_the_most_reviewed_variant_is_on_the_map(index: OpenedIndex) -> None:
    model, num_movies = index.model, index.model.num_movies
    counts = np.bincount(model.histories.movie_rows, minlength=num_movies)
    films = np.arange(num_movies) // 3
    variants = Variants(*build_variant_arrays(films).values())
    rows = map_movies(model, index.cards, variants, num_movies).rows
    assert films[rows].tolist() == list(range(films[-1] + 1))
    assert [counts[row] for row in rows] == [counts[films == film].max() for film in films[rows]]


def test_the_map_holds_as_many_films_as_were_asked_for(index: OpenedIndex) -> None:
    variants = Variants(*build_variant_arrays(np.arange(index.model.num_movies) // 2).values())
    found = mapped_movies(index.model, index.movies, index.cards, variants, 7)
    assert len(found) == 7
    everything = mapped_movies(index.model, index.movies, index.cards, Variants.none(), 10**6)
    assert len(everything) == index.model.num_movies
