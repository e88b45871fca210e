"""Measures the lists of newcomers beside the lists of reviewers who were trained on; prints JSON.

    python benchmarks/newcomers.py u.data ratings.csv [--seeds 1 2 3] [--share 0.1]

For each file, one model is trained on the earlier reviews of everyone, and one model a seed without a share
of the reviewers. These are then folded in from their earlier reviews, and both models rank the later ones.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from measuring import parser_for, write_figures

from engine.config.sections import Config
from engine.model.histories import History
from engine.model.newcomers import newcomer
from engine.model.scorer import ALL, Model
from engine.model.values import Reviewer
from pipelines.dataset.reviews import Reviews, read_reviews
from pipelines.dataset.splits import hold_out_last
from pipelines.ingest.ingest import ingest
from pipelines.measuring import metrics
from pipelines.training.fit import fit_model
from pipelines.work.database import work_database

K = 10


def main() -> None:
    """Prints one JSON object, with a section for each file."""
    parser = parser_for(__doc__)
    parser.add_argument("reviews", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--share", type=float, default=0.1)
    asked = parser.parse_args()
    write_figures({str(path): measure(path, asked.seeds, asked.share) for path in asked.reviews}, asked.json)


def measure(path: Path, seeds: list[int], share: float) -> dict[str, Any]:
    """Returns the figures of one file, by seed and over all seeds."""
    config = Config()
    reviews = read(path, config)
    train, held_out = hold_out_last(reviews, config.split.test_share)
    fitted = fit_model(train, config)
    trained, findings = fitted.model, fitted.findings
    liked = held_out.select(held_out.likes(trained.blend.like_rating))
    by_seed = {}
    for seed in seeds:
        hidden = np.random.default_rng(seed).permutation(reviews.num_reviewers)
        hidden = np.sort(hidden[: int(share * len(hidden))])
        without = train.select(~np.isin(train.reviewer_rows, hidden))
        model = fit_model(without, config, findings=findings._replace(start=None)).model
        by_seed[seed] = compare(trained, model, hidden, liked, held_out)
    names = next(iter(by_seed.values()))
    total = sum(figures["reviewers"] for figures in by_seed.values())
    mean = {
        name: sum(figures[name] * figures["reviewers"] for figures in by_seed.values()) / total
        for name in names
    }
    mean["reviewers"] = total
    mean["ratio"] = mean["folded_in_ndcg"] / mean["trained_ndcg"]
    return {"seeds": by_seed, "all_seeds": mean, "folding_back": fold_back(trained)}


def compare(
    trained: Model, model: Model, hidden: np.ndarray, liked: Reviews, held_out: Reviews
) -> dict[str, float]:
    """Compares both models on the reviewers whom the second model was not trained on."""
    offsets, every = liked.offsets(), held_out.offsets()
    hidden = [int(row) for row in hidden if offsets[row + 1] > offsets[row]]
    own, folded, pooled, seconds = [], [], [], []
    squares: dict[str, list[np.ndarray]] = {"trained": [], "folded_in": [], "pooled": []}
    for row in hidden:
        history, wanted = trained.histories.of(row), liked.movie_rows[offsets[row] : offsets[row + 1]]
        started = time.perf_counter()
        new = newcomer(model, history)
        found = top(model, new)
        seconds.append(time.perf_counter() - started)
        plain = model.reviewer(None, history)
        folded.append(ndcg(found, wanted))
        pooled.append(ndcg(top(model, plain), wanted))
        own.append(ndcg(top(trained, trained.reviewer(row)), wanted))
        span = slice(every[row], every[row + 1])
        for name, scorer, reviewer in (
            ("trained", trained, trained.reviewer(row)),
            ("folded_in", model, new),
            ("pooled", model, plain),
        ):
            squares[name].append(errors(scorer, reviewer, held_out.movie_rows[span], held_out.ratings[span]))
    figures = {
        "reviewers": len(hidden),
        "trained_ndcg": float(np.mean(own)),
        "folded_in_ndcg": float(np.mean(folded)),
        "pooled_ndcg": float(np.mean(pooled)),
        "ratio": float(np.mean(folded) / np.mean(own)),
        "milliseconds": 1000 * float(np.median(seconds)),
    }
    rmse = {f"{name}_rmse": float(np.sqrt(np.concatenate(all_).mean())) for name, all_ in squares.items()}
    return figures | rmse


def fold_back(trained: Model, num_reviewers: int = 300) -> dict[str, float]:
    """Folds in reviewers who were trained on, and compares their lists with their own ones."""
    rows = np.random.default_rng(0).permutation(len(trained.histories))[:num_reviewers]
    overlaps = []
    for row in rows.tolist():
        history: History = trained.histories.of(row)
        if len(history.movie_rows):
            known = top(trained, trained.reviewer(row))
            overlaps.append(len(np.intersect1d(known, top(trained, newcomer(trained, history)))) / K)
    return {"reviewers": len(overlaps), "mean_overlap": float(np.mean(overlaps))}


def top(model: Model, reviewer: Reviewer) -> np.ndarray:
    """Ranks all unseen movies, and returns the first ones."""
    scores = model.rescore(reviewer, ALL).score.copy()
    scores[reviewer.history.movie_rows] = -np.inf
    return np.lexsort((np.arange(len(scores)), -scores))[:K]


def ndcg(found: np.ndarray, wanted: np.ndarray) -> float:
    """Returns the NDCG of one list."""
    return float(metrics.ndcg(np.isin(found, wanted)[None, :], np.array([len(wanted)]))[0])


def errors(model: Model, reviewer: Reviewer, movie_rows: np.ndarray, ratings: np.ndarray) -> np.ndarray:
    """Returns the squared errors of predicted ratings."""
    assert model.rating is not None
    return (model.rating.summarize(model.rate(reviewer, movie_rows)).mean - ratings) ** 2


def read(path: Path, config: Config) -> Reviews:
    """Reads a review file."""
    with work_database(config.ingest) as database:
        ingest(database, [path], [], config.ingest)
        return read_reviews(database, config)


if __name__ == "__main__":
    main()
