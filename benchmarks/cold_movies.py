"""Measures how cold movies are ranked and rated by their metadata: hides all reviews of some movies.

    python benchmarks/cold_movies.py ratings.csv --metadata movies.csv [--seeds 3] [--hidden 0.1]

For each seed, the reviews of a random part of the movies are hidden, a model is trained on the rest, and the
hidden movies get vectors and neighbours from their metadata, as cold movies do in a build. Then movies are
ranked for every reviewer who liked hidden ones: the hidden movies (`among_hidden`), and all movies of which
the reviewer has no known review (`among_all`). These rankings are compared:

* `cold`: by the score of the model.
* `random`: in random order.
* `popularity`: by the number of known reviews. Hidden movies have none: they come last, in random order.
* `category_popularity`: by the mean number of known reviews of movies with the same categories, the most that
  popularity can say of a movie without reviews.

Recall@k is the part of a reviewer's hidden likes (of k of them, if there are more) among the first k movies,
averaged over reviewers. The mean absolute errors are over all hidden reviews: `cold` predicts the median of
its distribution, `constant` the median of the known ratings. Prints JSON.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from measuring import parser_for, write_figures

from engine.config.sections import Config, load_config
from engine.model.scorer import ALL
from pipelines.cold_start.catalogue import ColdCatalogue, read_catalogue
from pipelines.cold_start.joining import join_cold_movies, learn_cold_start
from pipelines.dataset.reviews import Reviews, read_reviews
from pipelines.ingest.ingest import ingest
from pipelines.training.fit import fit_model
from pipelines.work.database import work_database

DEPTHS = (10, 50)
"""Lengths of the lists that recall is measured on."""
MAX_REVIEWERS = 1000
"""Reviewers who are ranked, drawn at random."""


def main() -> None:
    """Prints the figures of every seed, and their means."""
    parser = parser_for(__doc__)
    parser.add_argument("reviews", type=Path, nargs="+")
    parser.add_argument("--metadata", type=Path, nargs="+", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--hidden", type=float, default=0.1)
    parser.add_argument("--set", dest="assignments", action="append", default=[])
    asked = parser.parse_args()
    config = load_config(assignments=asked.assignments)
    reviews, catalogue, categories = read(asked.reviews, asked.metadata, config)
    runs = [
        measure(reviews, catalogue, categories, asked.hidden, replace(config, seed=seed))
        for seed in range(asked.seeds)
    ]
    write_figures({"runs": runs, "mean": mean_of(runs)}, asked.json)


def read(
    files: list[Path], metadata: list[Path], config: Config
) -> tuple[Reviews, ColdCatalogue, list[list[str]]]:
    """Reads the kept reviews, and the words and categories of their movies."""
    with work_database(config.ingest) as database:
        ingest(database, files, metadata, config.ingest)
        reviews = read_reviews(database, config)
        database.execute("alter table movies add column learned_row integer")
        catalogue = read_catalogue(database)
        rows = database.execute("select category from movies order by movie_row").fetchall()
    return reviews, catalogue, [(category or "").split(" | ") for (category,) in rows]


def measure(
    reviews: Reviews, catalogue: ColdCatalogue, categories: list[list[str]], share: float, config: Config
) -> dict[str, Any]:
    """Hides the reviews of some movies, trains a model, and ranks the movies."""
    generator = np.random.default_rng(config.seed)
    num_movies = reviews.num_movies
    hidden = np.sort(generator.permutation(num_movies)[: round(share * num_movies)])
    known = np.setdiff1d(np.arange(num_movies), hidden)
    rows = np.full(num_movies, -1, dtype=np.int32)
    rows[known] = np.arange(len(known))
    is_hidden = rows[reviews.movie_rows] < 0
    kept = reviews.select(~is_hidden)
    kept = replace(kept, movie_rows=rows[kept.movie_rows], num_movies=len(known))
    learned = fit_model(kept, config).model
    start = learn_cold_start(learned, catalogue.words[known], config.seed)
    model, _ = join_cold_movies(
        learned, start, catalogue.words, hidden, config.cold, links=catalogue.link_matrix
    )

    likes = is_hidden & reviews.likes(model.blend.like_rating)
    reviewer_rows = np.unique(reviews.reviewer_rows[likes])
    reviewer_rows = np.sort(generator.permutation(reviewer_rows)[:MAX_REVIEWERS])
    relevant = np.zeros((reviews.num_reviewers, num_movies), dtype=bool)
    relevant[reviews.reviewer_rows[likes], reviews.movie_rows[likes]] = True
    relevant = relevant[reviewer_rows]
    scores, open_movies = np.zeros(relevant.shape), np.ones(relevant.shape, dtype=bool)
    for place, row in enumerate(reviewer_rows):
        reviewer = model.reviewer(int(row))
        scores[place] = model.rescore(reviewer, ALL).score
        open_movies[place, reviewer.history.movie_rows] = False
    counts = np.zeros(num_movies)
    counts[known] = np.bincount(kept.movie_rows, minlength=len(known))
    orders = {
        "cold": scores,
        "random": np.zeros(relevant.shape),
        "popularity": np.tile(counts, (len(reviewer_rows), 1)),
        "category_popularity": np.tile(by_category(counts, known, categories), (len(reviewer_rows), 1)),
    }
    figures: dict[str, Any] = {
        "seed": config.seed,
        "hidden_movies": len(hidden),
        "known_movies": len(known),
        "reviewers": len(reviewer_rows),
        "among_hidden": {
            name: recalls(given[:, hidden], relevant[:, hidden], generator) for name, given in orders.items()
        },
        "among_all": {
            name: recalls(np.where(open_movies, given, -np.inf), relevant, generator)
            for name, given in orders.items()
        },
    }
    top = np.argsort(-np.where(open_movies, scores, -np.inf), axis=1)[:, :10]
    figures["cold_share_of_top_tens"] = float(np.isin(top, hidden).mean())
    margins = figures["among_hidden"]
    best = max(margins["random"]["recall@50"], margins["popularity"]["recall@50"])
    figures["margin_recall@50"] = margins["cold"]["recall@50"] - best
    asked = np.flatnonzero(is_hidden)
    predicted = model.predict(reviews.reviewer_rows[asked], reviews.movie_rows[asked])
    if predicted is not None:
        ratings = reviews.ratings[asked]
        chances = predicted.probabilities[np.arange(len(asked)), reviews.level_rows[asked]]
        figures["mae"] = {
            "cold": float(np.abs(predicted.median - ratings).mean()),
            "constant": float(np.abs(np.median(kept.ratings) - ratings).mean()),
        }
        shares = np.bincount(kept.level_rows, minlength=len(reviews.levels)) / len(kept)
        figures["log_loss"] = {
            "cold": float(-np.log(chances + 1e-7).mean()),
            "constant": float(-np.log(shares[reviews.level_rows[asked]] + 1e-7).mean()),
        }
    return figures


def by_category(counts: np.ndarray, known: np.ndarray, categories: list[list[str]]) -> np.ndarray:
    """Returns, for each movie, the mean count of the known movies of its categories."""
    found: dict[str, list[float]] = {}
    for row in known:
        for name in categories[row]:
            found.setdefault(name, []).append(float(counts[row]))
    means = {name: float(np.mean(values)) for name, values in found.items()}
    middle = float(counts[known].mean())
    return np.array([np.mean([means.get(name, middle) for name in names]) for names in categories])


def recalls(scores: np.ndarray, relevant: np.ndarray, generator: np.random.Generator) -> dict[str, float]:
    """Returns the recall at each depth; equal scores stand in random order."""
    order = np.lexsort((generator.random(scores.shape), -scores), axis=1)
    hits = np.take_along_axis(relevant, order, axis=1)
    wanted = relevant.sum(axis=1)
    return {
        f"recall@{depth}": float((hits[:, :depth].sum(axis=1) / np.minimum(depth, wanted)).mean())
        for depth in DEPTHS
    }


def mean_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Averages every figure over the runs, at any depth."""
    return {
        name: mean_of([run[name] for run in runs])
        if isinstance(value, dict)
        else float(np.mean([run[name] for run in runs]))
        for name, value in runs[0].items()
        if name != "seed"
    }


if __name__ == "__main__":
    main()
