"""Measures whether lists hold cold movies where the engine is sure of them: hides movies, and tries doubts.

    python benchmarks/cold_doubts.py u.data --metadata u.item [--doubts 0 0.5 1] [--hidden 0.1] [--seed 1]

All reviews of a random part of the movies are hidden, and the last fifth of each reviewer's other reviews is
held out. A model is trained on the rest, and the hidden movies join it as cold movies. For each value of
`cold.doubt`, the script prints which share of the places in the top tens of all reviewers the cold movies
take, the same for reviewers with few and with many reviews, and how many of the listed cold and known movies
the reviewers came to after their last training review. Prints JSON.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from cold_movies import read
from measuring import parser_for, write_figures

from engine.config.sections import load_config
from engine.search.top_lists import exhaustive_lists
from pipelines.cold_start.joining import join_cold_movies, learn_cold_start
from pipelines.dataset.splits import hold_out_last
from pipelines.training.fit import fit_model

GROUPS = {"under 30": (0, 29), "30 to 99": (30, 99), "100 to 199": (100, 199), "200 and more": (200, 10**9)}
"""The least and the largest number of training reviews of the reviewers of each group."""


def main() -> None:
    """Prints the figures of every doubt."""
    parser = parser_for(__doc__)
    parser.add_argument("reviews", type=Path, nargs="+")
    parser.add_argument("--metadata", type=Path, nargs="+", required=True)
    parser.add_argument("--doubts", type=float, nargs="+", default=[0.0, 0.25, 0.5, 0.75, 1.0])
    parser.add_argument("--hidden", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    config = replace(load_config(), seed=asked.seed)
    reviews, catalogue, _ = read(asked.reviews, asked.metadata, config)
    num_movies = reviews.num_movies
    order = np.random.default_rng(asked.seed).permutation(num_movies)
    hidden = np.sort(order[: round(asked.hidden * num_movies)])
    known = np.setdiff1d(np.arange(num_movies), hidden)
    rows = np.full(num_movies, -1, dtype=np.int32)
    rows[known] = np.arange(len(known))
    is_hidden = rows[reviews.movie_rows] < 0
    train, held_out = hold_out_last(reviews.select(~is_hidden), 0.2)
    train = replace(train, movie_rows=rows[train.movie_rows], num_movies=len(known))
    last = np.zeros(reviews.num_reviewers, dtype=np.int64)
    np.maximum.at(last, train.reviewer_rows, train.times)
    later = is_hidden & (reviews.times > last[reviews.reviewer_rows])
    came = np.zeros((reviews.num_reviewers, num_movies), dtype=bool)
    came[reviews.reviewer_rows[later], reviews.movie_rows[later]] = True
    came[held_out.reviewer_rows, held_out.movie_rows] = True

    model = fit_model(train, config).model
    start = learn_cold_start(model, catalogue.words[known], asked.seed)
    figures = {}
    for doubt in asked.doubts:
        joined, _ = join_cold_movies(
            model,
            start,
            catalogue.words,
            hidden,
            replace(config.cold, doubt=doubt),
            links=catalogue.link_matrix,
        )
        listed = exhaustive_lists(joined, np.arange(reviews.num_reviewers), 10).movie_rows
        figures[f"doubt {doubt:g}"] = measured(
            np.isin(listed, hidden), np.take_along_axis(came, listed, axis=1), np.diff(train.offsets())
        )
    write_figures(figures, asked.json)


def measured(cold: np.ndarray, hits: np.ndarray, lengths: np.ndarray) -> dict[str, Any]:
    """Returns the share of cold movies in lists, by group of reviewers too, and how many were come to."""
    figures: dict[str, Any] = {
        "cold": float(cold.mean()),
        "came_to_cold": float(hits[cold].mean()) if cold.any() else None,
        "came_to_known": float(hits[~cold].mean()),
    }
    for name, (least, most) in GROUPS.items():
        chosen = (lengths >= least) & (lengths <= most)
        if chosen.any():
            figures[f"cold, reviewers with {name}"] = float(cold[chosen].mean())
    return figures


if __name__ == "__main__":
    main()
