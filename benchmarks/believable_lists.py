"""Measures whether the lists of an index stand by what they say: chances of a like, and unknown movies.

    python benchmarks/believable_lists.py movie-index [-k 10]

For the lists of all reviewers, and for the lists of the reviewers with 300 reviews and more, the script
prints the share of entries that the engine itself gives a chance of a like under one half, the mean chance,
and the shares of movies with at most one review and with at most five. Prints JSON.
"""

from __future__ import annotations

import numpy as np
from measuring import parser_for, write_figures

from engine import Engine

MANY = 300
"""The least number of reviews of a reviewer with many reviews."""


def main() -> None:
    """Prints the figures of one index."""
    parser = parser_for(__doc__)
    parser.add_argument("index")
    parser.add_argument("-k", type=int, default=10)
    asked = parser.parse_args()
    engine = Engine.load(asked.index)
    reviewers = np.arange(engine.num_reviewers)
    columns = engine.list_columns(reviewers, asked.k)
    lengths = engine.index.model.histories.lengths[reviewers][columns.places]
    counts = np.asarray(engine.index.movie_counts)[columns.movie_rows]
    figures = {}
    for name, chosen in (("all", lengths >= 0), (f"{MANY} reviews and more", lengths >= MANY)):
        if not chosen.any():
            continue
        figures[name] = {
            "entries": int(chosen.sum()),
            "at_most_one_review": float((counts[chosen] <= 1).mean()),
            "at_most_five_reviews": float((counts[chosen] <= 5).mean()),
        }
        if columns.like_probabilities is not None:
            chances = columns.like_probabilities[chosen]
            figures[name] |= {
                "under_one_half": float((chances < 0.5).mean()),
                "mean_chance": float(chances.mean()),
            }
    write_figures(figures, asked.json)


if __name__ == "__main__":
    main()
