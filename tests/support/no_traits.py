"""Traits of movies of which metadata says nothing."""

import numpy as np

from pipelines.similar.traits import Traits

NO_LINKS = np.zeros((0, 2), dtype=np.int64)


def no_traits(num_movies: int) -> Traits:
    nothing = np.zeros((num_movies, 0), dtype=np.float32)
    none = np.full(num_movies, -1, dtype=np.int64)
    years = np.full(num_movies, np.nan, dtype=np.float32)
    return Traits(categories=nothing, words=nothing, series=none, titles=none, years=years, links=NO_LINKS)
