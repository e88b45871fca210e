"""Draws the movies of a synthetic data set at random: the film, edition, fame and quality of each movie.

A movie is one edition of a film, such as the film on DVD; a film may be sold as several movies. The generator
keeps all movies but few reviews in memory, so that memory grows with the number of movies alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.synthetic.draws import Draws, FloatArray, IntArray
from pipelines.synthetic.films import TASTES, Film, film_of_taste

NUM_ERAS = 3
"""The number of eras of each genre; an era is the early, middle or late third of the genre's films by
year."""
FORMATS = ("DVD", "Blu-ray", "VHS Tape", "Amazon Video")
"""The formats in which films are sold; arrays hold a format as a position in this tuple."""
_EDITIONS = (
    (" [Blu-ray]", 1),
    (" (Widescreen Edition)", 0),
    (" VHS", 2),
    (" (Two-Disc Special Edition)", 0),
    (" [Region 2]", 0),
    (" [DVD]", 0),
    (" (Blu-ray + Digital)", 1),
)
"""The kinds of additional editions of a film; each kind consists of the text added to the film's title, and
the format as a position in FORMATS."""
_FAME_FLATNESS = 25.0
"""The constant q in the fame of a film, 1 / (rank + q), where rank 0 is the most famous film. If the constant
is 25, the most reviewed movie of a synthetic data set has about the same share of all reviews as the most
reviewed movie of the real Amazon data set, according to published numbers."""
_VARIANT_FAME = 0.25
"""The fame of a film's additional editions, as a share of the fame of the film's first edition."""


@dataclass(frozen=True)
class DrawnCatalogue:
    """Holds every movie of a synthetic data set; editions of one film differ only in id, title and format.

    Attributes:
        films: the film of each movie.
        movie_ids: ids of ten characters; some ids are digits only, like real ids.
        titles: the title of each movie, with the name of the edition if the film has several editions.
        film_numbers: int64 [num_movies], the position of the first edition of each movie's film.
        tastes: int64 [num_movies], the genre of each movie, as a position in TASTES.
        eras: int64 [num_movies], the era of each movie within the genre, 0 (early) to NUM_ERAS - 1 (late).
        formats: int64 [num_movies], the format of each movie, as a position in FORMATS.
        years: int64 [num_movies], the year in which each movie's film was released.
        quality: float64 [num_movies], the quality of each movie, with mean 0 and standard deviation 1.
        editions: maps the position of a film's first edition to the positions of all editions of the film,
            for films with several editions.
    """

    films: tuple[Film, ...]
    movie_ids: tuple[str, ...]
    titles: tuple[str, ...]
    film_numbers: IntArray
    tastes: IntArray
    eras: IntArray
    formats: IntArray
    years: IntArray
    quality: FloatArray
    editions: dict[int, tuple[int, ...]]
    _shelf: IntArray
    _shelf_edges: FloatArray
    _section_edges: FloatArray

    def __len__(self) -> int:
        """Returns the number of movies in the catalogue."""
        return len(self.movie_ids)

    def pick(self, tastes: IntArray, eras: IntArray, uniform: FloatArray) -> IntArray:
        """Picks movies of given genres and eras at random; the chance of a movie is proportional to its fame.

        The movies are sorted by genre and era, so that each pick is one binary search in the cumulative sums
        of the movies' fame.

        Args:
            tastes: the genre of each movie to pick, int [num_picks]; -1 for any genre.
            eras: the era of each movie to pick, int [num_picks]; -1 for any era.
            uniform: a random number in [0, 1) for each movie to pick, float [num_picks].

        Returns:
            The position of each picked movie in the catalogue, int64 [num_picks].
        """
        any_taste, any_era = tastes < 0, eras < 0
        first = np.where(any_taste, 0, tastes * NUM_ERAS + np.where(any_era, 0, eras))
        last = np.where(any_taste, len(TASTES) * NUM_ERAS, first + np.where(any_era, NUM_ERAS, 1))
        low, high = self._section_edges[first], self._section_edges[last]
        empty = high <= low
        low, high = np.where(empty, 0.0, low), np.where(empty, self._shelf_edges[-1], high)
        places = np.searchsorted(self._shelf_edges, low + uniform * (high - low), side="right")
        return self._shelf[np.minimum(places, len(self) - 1)]


def draw_catalogue(num_movies: int, variant_rate: float, seed: int) -> DrawnCatalogue:
    """Draws all movies: first one edition of each film, the most famous film first, then additional editions.

    The genres take turns in providing the next film. The argument `variant_rate` is the share of additional
    editions among all movies.
    """
    draws = Draws(seed, 1)
    num_variants = round(num_movies * variant_rate)
    num_films = num_movies - num_variants
    known = tuple(
        film_of_taste(TASTES[number % len(TASTES)], number // len(TASTES)) for number in range(num_films)
    )

    num_thirds = num_variants // 4
    parents = draws.choose(num_films, num_variants - num_thirds)
    kinds = draws.integers(len(parents), len(_EDITIONS))
    parents = np.concatenate([parents, parents[:num_thirds]])
    kinds = np.concatenate([kinds, (kinds[:num_thirds] + 3) % len(_EDITIONS)])
    film_numbers = np.concatenate([np.arange(num_films), parents])
    films = known + tuple(known[parent] for parent in parents.tolist())
    suffixes = [""] * num_films + [_EDITIONS[kind][0] for kind in kinds.tolist()]
    film_formats = np.searchsorted([0.7, 0.85, 0.93], draws.uniform(num_films), side="right")
    edition_formats = np.array([_EDITIONS[kind][1] for kind in kinds.tolist()], dtype=np.int64)
    editions: dict[int, tuple[int, ...]] = {}
    for movie, parent in enumerate(parents.tolist(), start=num_films):
        editions[parent] = (*editions.get(parent, (parent,)), movie)

    tastes = film_numbers % len(TASTES)
    film_years = np.array([film.year for film in known], dtype=np.int64)
    eras = _eras(tastes[:num_films], film_years)[film_numbers]
    fame = 1.0 / (film_numbers + _FAME_FLATNESS)
    fame[num_films:] *= _VARIANT_FAME
    shelf = np.lexsort((eras, tastes))
    shelf_edges = np.cumsum(fame[shelf])
    sections = np.searchsorted((tastes * NUM_ERAS + eras)[shelf], np.arange(len(TASTES) * NUM_ERAS + 1))
    return DrawnCatalogue(
        films=films,
        movie_ids=tuple(_movie_id(number, seed) for number in range(num_movies)),
        titles=tuple(
            f"{film.title} ({film.year}){suffix}" for film, suffix in zip(films, suffixes, strict=True)
        ),
        film_numbers=film_numbers,
        tastes=tastes,
        eras=eras,
        formats=np.concatenate([film_formats, edition_formats]),
        years=film_years[film_numbers],
        quality=draws.bell(num_films)[film_numbers],
        editions=editions,
        _shelf=shelf,
        _shelf_edges=shelf_edges,
        _section_edges=np.concatenate([[0.0], shelf_edges])[sections],
    )


def _eras(tastes: IntArray, years: IntArray) -> IntArray:
    """Divides the films of each genre into thirds by year, and returns each film's era: int64 [num_films]."""
    order = np.lexsort((years, tastes))
    starts = np.searchsorted(tastes[order], np.arange(len(TASTES)))
    sizes = np.maximum(np.bincount(tastes, minlength=len(TASTES)), 1)
    eras = np.empty(len(tastes), dtype=np.int64)
    places = np.arange(len(tastes)) - starts[tastes[order]]
    eras[order] = places * NUM_ERAS // sizes[tastes[order]]
    return eras


def _movie_id(number: int, seed: int) -> str:
    """Makes a movie id from a number; different numbers give different ids."""
    if number % 7 == 3:
        return f"0{(number * 387_420_489 + seed) % 10**9:09d}"
    return "B00" + np.base_repr((number * 0x9E3779B97 + seed) % 2**35, 36).zfill(7)
