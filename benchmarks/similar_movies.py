"""Measures how similar the movies of `engine similar movie` look, by genres and by series, for an index.

    python benchmarks/similar_movies.py movie-index [-k 10] [--examples 1 288]

The index must have categories, such as the genres of MovieLens. For movies with many, some and few reviews,
the script prints the share of listed movies that have no category in common with the movie. Movies without
categories are not asked about, and a listed movie without categories has none in common. `random` is the same
share for a movie drawn at random. For pairs of neighbouring films of one series, the script prints how many
pairs stand in each other's first five. A pair counts only if the index holds both films. Prints JSON.

`engine evaluate` measures how many held-out reviews the lists find.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from measuring import parser_for, write_figures

from engine import Engine
from engine.catalogue.series import categories_of
from engine.catalogue.titles import film_of_title

GROUPS = {
    "50 and more": (50, 10**9),
    "10 to 49": (10, 49),
    "4 to 9": (4, 9),
    "2 or 3": (2, 3),
    "0 or 1": (0, 1),
}
"""The least and the largest number of reviews of the movies of each group."""
FIRST = 5
"""The places among which the other film of a pair must stand."""
SERIES = (
    ("Star Wars (1977)", "Empire Strikes Back, The (1980)", "Return of the Jedi (1983)"),
    (
        "Star Wars: Episode IV - A New Hope (1977)",
        "Star Wars: Episode V - The Empire Strikes Back (1980)",
        "Star Wars: Episode VI - Return of the Jedi (1983)",
    ),
    ("Raiders of the Lost Ark (1981)", "Indiana Jones and the Last Crusade (1989)"),
    ("Godfather, The (1972)", "Godfather: Part II, The (1974)"),
    ("Alien (1979)", "Aliens (1986)", "Alien 3 (1992)", "Alien: Resurrection (1997)"),
    ("Terminator, The (1984)", "Terminator 2: Judgment Day (1991)"),
    ("Die Hard (1988)", "Die Hard 2 (1990)", "Die Hard: With a Vengeance (1995)"),
    ("Batman (1989)", "Batman Returns (1992)", "Batman Forever (1995)", "Batman & Robin (1997)"),
    (
        "Star Trek: The Motion Picture (1979)",
        "Star Trek: The Wrath of Khan (1982)",
        "Star Trek III: The Search for Spock (1984)",
        "Star Trek IV: The Voyage Home (1986)",
        "Star Trek V: The Final Frontier (1989)",
        "Star Trek VI: The Undiscovered Country (1991)",
        "Star Trek: Generations (1994)",
        "Star Trek: First Contact (1996)",
    ),
    ("Jurassic Park (1993)", "Lost World: Jurassic Park, The (1997)"),
    ("Speed (1994)", "Speed 2: Cruise Control (1997)"),
    ("Scream (1996)", "Scream 2 (1997)"),
    ("Under Siege (1992)", "Under Siege 2: Dark Territory (1995)"),
    ("Young Guns (1988)", "Young Guns II (1990)"),
    ("Free Willy (1993)", "Free Willy 2: The Adventure Home (1995)", "Free Willy 3: The Rescue (1997)"),
    ("Jaws (1975)", "Jaws 2 (1978)", "Jaws 3-D (1983)"),
    ("Home Alone (1990)", "Home Alone 3 (1997)"),
    ("Ace Ventura: Pet Detective (1994)", "Ace Ventura: When Nature Calls (1995)"),
    ("Grumpy Old Men (1993)", "Grumpier Old Men (1995)"),
    ("Aladdin (1992)", "Aladdin and the King of Thieves (1996)"),
    ("Crow, The (1994)", "Crow: City of Angels, The (1996)"),
    ("Grease (1978)", "Grease 2 (1982)"),
    ("Mortal Kombat (1995)", "Mortal Kombat: Annihilation (1997)"),
    ("Toy Story (1995)", "Toy Story 2 (1999)", "Toy Story 3 (2010)"),
    ("Back to the Future (1985)", "Back to the Future Part II (1989)", "Back to the Future Part III (1990)"),
    ("Matrix, The (1999)", "Matrix Reloaded, The (2003)", "Matrix Revolutions, The (2003)"),
    ("Shrek (2001)", "Shrek 2 (2004)", "Shrek the Third (2007)"),
)
"""The titles of the films of each series, in order; neighbours are a pair."""


def main() -> None:
    """Prints the figures of one index."""
    parser = parser_for(__doc__)
    parser.add_argument("index")
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--examples", nargs="*", default=[], metavar="MOVIE")
    asked = parser.parse_args()
    engine = Engine.load(asked.index)
    figures = {
        "without_common_category": without_common_category(engine, asked.k),
        "series": series(engine),
    }
    for movie_id in asked.examples:
        title = f"{movie_id} {engine.title(movie_id)}"
        figures[title] = [one.title for one in engine.similar(movie_id, asked.k)]
    write_figures(figures, asked.json)


def without_common_category(engine: Engine, k: int) -> dict[str, dict[str, float]]:
    """Returns, for each group of movies, the share of listed movies without a common category."""
    index = engine.index
    categories = [set(categories_of(index.cards.card(row)["category"])) for row in range(engine.num_movies)]
    counts = np.asarray(index.movie_counts)
    figures = {}
    for name, (least, most) in GROUPS.items():
        rows = np.flatnonzero((counts >= least) & (counts <= most)).tolist()
        shares, at_random = [], []
        for row in rows:
            own = categories[row]
            if not own:
                continue
            listed = engine.similar(index.movies.id(row), k)
            shares.append(np.mean([not own & set(categories_of(movie.card["category"])) for movie in listed]))
            at_random.append(np.mean([not own & other for other in categories]))
        if shares:
            figures[name] = {"movies": len(shares), "share": _mean(shares), "random": _mean(at_random)}
    return figures


def series(engine: Engine) -> dict[str, Any]:
    """Counts the pairs of neighbouring films that stand in each other's first five, and names the others."""
    index = engine.index
    rows = {film_of_title(index.cards.card(row)["title"]): row for row in range(engine.num_movies)}
    pairs = [
        pair
        for films in SERIES
        for pair in pairwise(films)
        if all(film_of_title(title) in rows for title in pair)
    ]
    missed = []
    for pair in pairs:
        one, other = (index.movies.id(rows[film_of_title(title)]) for title in pair)
        for asked, wanted in ((one, other), (other, one)):
            if wanted not in [movie.movie_id for movie in engine.similar(asked, FIRST)]:
                missed.append(pair)
                break
    return {
        "pairs": len(pairs),
        "found": len(pairs) - len(missed),
        "missed": [" / ".join(one) for one in missed],
    }


def _mean(values: list[Any]) -> float:
    return round(float(np.mean(values)), 4)


if __name__ == "__main__":
    main()
