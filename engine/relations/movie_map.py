"""Maps movies: gives each movie a position on a plane, with movies of similar vectors near each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engine.answers import MappedMovie
from engine.arrays import Floats, Rows, distinct, k_highest
from engine.artifact.ids import IdTable
from engine.catalogue.cards import MovieCards
from engine.catalogue.variants import Variants
from engine.model.scorer import Model

MOST_MAPPED = 2000
"""The largest number of movies on the map; with more movies, the web page of the map would be too large."""
_NUM_CATEGORIES = 9
"""The number of movie categories that have a separate colour on the map; all other categories share one
colour."""
OTHER = "other"
"""The name on the map for all movie categories without a separate colour."""
NO_CATEGORY = "no category"
"""The name on the map that stands for a missing category."""


class MovieMap(NamedTuple):
    """Holds a map of movies: positions on a plane, where movies with similar vectors are near each other."""

    points: Floats
    """float32 [num_mapped, 2], the position of each movie on the plane."""
    categories: list[str]
    """The main category of each movie on the map; "other" for categories outside the most common ones."""
    share: float
    """The share of the variance of the movie vectors that remains on the two axes of the map, 0 to 1."""
    rows: Rows
    """int64 [num_mapped], the row of each movie on the map, ascending."""
    titles: Sequence[str | None]
    """The title of each movie on the map, or None for an unknown title."""
    years: Sequence[int | None]
    """The year of each movie on the map, or None for an unknown year."""
    counts: Rows
    """int64 [num_mapped], the number of reviews of each movie on the map."""


def map_movies(model: Model, cards: MovieCards, variants: Variants, most: int = MOST_MAPPED) -> MovieMap:
    """Projects the vectors of the most reviewed movies onto their first two principal components (PCA).

    Of several movies that are variants of one film, only the most reviewed variant is on the map.
    """
    counts = model.histories.movie_counts(model.num_movies)
    films = np.arange(len(counts))
    films = films[variants.one_each(films, counts.astype(np.float64))]
    rows = distinct(films[k_highest(counts[films].astype(np.float64), min(most, len(films)))])
    # The last column of the movie vectors holds the bias, which says nothing about similarity.
    vectors = np.asarray(model.relevance.movie_vectors[rows, :-1], dtype=np.float64)
    vectors -= vectors.mean(axis=0)
    left, sizes, _ = np.linalg.svd(vectors, full_matrices=False)
    points = np.zeros((len(rows), 2), dtype=np.float32)
    points[:, : min(2, len(sizes))] = (left * sizes)[:, :2]
    total = float((sizes**2).sum())
    share = float((sizes[:2] ** 2).sum() / total) if total else 0.0
    shown = [cards.card(int(row)) for row in rows]
    categories = main_categories([card["category"] for card in shown])
    titles, years = [card["title"] for card in shown], [card["year"] for card in shown]
    return MovieMap(points, categories, share, rows, titles, years, counts[rows])


def mapped_movies(
    model: Model, movies: IdTable, cards: MovieCards, variants: Variants, most: int
) -> list[MappedMovie]:
    """Returns the most reviewed movies with their positions on the map; each coordinate is from -1 to 1."""
    found = map_movies(model, cards, variants, most)
    places = found.points / max(float(np.abs(found.points).max(initial=0)), 1e-12)
    return [
        MappedMovie(
            movie_id=movies.id(row),
            title=title,
            category=category,
            x=round(float(x), 4),
            y=round(float(y), 4),
            num_reviews=count,
        )
        for row, title, category, (x, y), count in zip(
            found.rows.tolist(), found.titles, found.categories, places, found.counts.tolist(), strict=True
        )
    ]


def main_categories(categories: Sequence[str | None]) -> list[str]:
    """Shortens each movie's category, a path such as "Movies & TV | Drama", to one part of the path.

    The depth of a part is the part's position in the path: in the path "Movies & TV | Drama", "Movies & TV"
    has depth 0, and "Drama" has depth 1. The function takes the part at the same depth from every movie's
    path. This depth is the lowest depth that meets three conditions: the paths have at least two different
    parts at this depth; at least half of the movies' paths reach this depth; and no part at this depth is
    shared by more than two thirds of the movies. If no depth meets all three conditions, the function takes
    the lowest depth at which the paths have at least two different parts. If at every depth all paths have
    the same part, each movie gets the last part of the movie's path. A path that is too short to have a part
    at the taken depth is also shortened to the last part of the path. A movie without a category gets
    "no category". Only the `_NUM_CATEGORIES` most common of these names are returned; each rarer name is
    replaced by "other".

    >>> main_categories(["Movies & TV | Drama", "Movies & TV | Comedy | Slapstick", None])
    ['Drama', 'Comedy', 'no category']
    """
    paths = [category.split(" | ") if category else [] for category in categories]
    deepest = max(map(len, paths), default=0)
    levels = [Counter(path[depth] for path in paths if len(path) > depth) for depth in range(deepest)]
    differing = [depth for depth, level in enumerate(levels) if len(level) > 1]
    telling = [
        depth
        for depth in differing
        if 2 * levels[depth].total() >= len(paths) and 3 * max(levels[depth].values()) <= 2 * len(paths)
    ]
    depth = (telling or differing or [len(levels)])[0]
    known = any(len(path) > depth for path in paths)
    named = [
        path[depth] if known and len(path) > depth else path[-1] if path else NO_CATEGORY for path in paths
    ]
    common = {name for name, _ in Counter(named).most_common(_NUM_CATEGORIES)}
    return [name if name in common else OTHER for name in named]
