"""Compares candidates from Milvus, a vector database, with candidates from FAISS, on one index.

    python benchmarks/vector_database.py [--index movie-index] [--uri URI] [--questions 200] [--json FILE]

A copy of the index gets its vectors into the database, by default an embedded one beside the copy. The script
measures the audit, the recall at 200 against exact search, with and without conditions, and the times of a
search of the index, of the same search by FAISS, and of whole answers with and without a condition.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measuring import parser_for, write_figures

from engine import Engine
from engine.artifact import layout
from engine.artifact.reader import Artifact
from engine.opened import OpenedIndex
from indexes.base import VectorIndex
from indexes.choose import build_vector_index
from indexes.exact import ExactIndex
from indexes.recall import recall
from pipelines.updating.reindex import rebuild_index

K = 200
CONDITIONS = (
    "year >= 1990",
    "price < 15 and title like '%the%'",
    "average_rating >= 4 and title ilike '%a%'",
    "year = 1994",
)


def main() -> None:
    """Prints one JSON object."""
    parser = parser_for(__doc__)
    parser.add_argument("--index", type=Path, default=Path("movie-index"))
    parser.add_argument("--uri", default="", help="The database; by default an embedded one.")
    parser.add_argument("--questions", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "index"
        shutil.copytree(asked.index, place)
        rebuild_index(place, kind="auto")
        by_file = _answers(place, asked.questions)
        started = time.perf_counter()
        manifest = rebuild_index(place, kind="milvus", uri=asked.uri)
        seconds = time.perf_counter() - started
        opened = OpenedIndex(Artifact.open(place))
        queries = _queries(opened, asked.questions)
        figures: dict[str, Any] = {
            "movies": len(opened.movies),
            "reindex_s": round(seconds, 1),
            "audit": manifest[layout.AUDIT_SECTION],
            **_searches(opened, queries),
            "conditions": {text: _condition(opened, queries, text) for text in CONDITIONS},
            "answers_ms": {"faiss": by_file, "milvus": _answers(place, asked.questions)},
        }
        rebuild_index(place, kind="auto", keep=1)
    write_figures(figures, asked.json)


def _queries(opened: OpenedIndex, number: int) -> np.ndarray:
    rows = np.random.default_rng(0).permutation(len(opened.reviewers))[:number]
    return np.stack([opened.model.reviewer(int(row)).query for row in rows])


def _searches(opened: OpenedIndex, queries: np.ndarray) -> dict[str, Any]:
    """Measures recall, and the milliseconds of one search by each kind of index."""
    vectors = opened.model.relevance.movie_vectors
    exact = ExactIndex(vectors)
    kinds: dict[str, VectorIndex] = {"milvus": opened.vector_index}
    for kind in ("flat", "ivf-fp16"):
        kinds[kind], _ = build_vector_index(vectors, queries, kind=kind, k=K)
    return {
        "recall_at_200": {kind: round(recall(index, exact, queries, K), 4) for kind, index in kinds.items()},
        "search_ms": {
            kind: _times([lambda query=query, index=index: index.search(query[None], K) for query in queries])  # type: ignore[misc]
            for kind, index in kinds.items()
        },
    }


def _condition(opened: OpenedIndex, queries: np.ndarray, text: str) -> dict[str, Any]:
    """Measures a search that checks a condition beside scoring every movie that meets the condition."""
    rows = opened.matching_rows(text)
    pushed = opened.catalogue.pushed(text, opened.vector_index.columns)
    found: dict[str, Any] = {"matching": len(rows), "share": round(len(rows) / len(opened.movies), 4)}
    vectors = opened.model.relevance.movie_vectors
    found["scan_ms"] = _times([lambda query=query: vectors[rows] @ query for query in queries])  # type: ignore[misc]
    found["duckdb_ms"] = _times(5 * [lambda: opened.matching_rows(text)])
    if pushed is None:
        return found
    index = opened.vector_index
    found["pushed"] = index.count(pushed)
    found["search_ms"] = _times(
        [lambda query=query: index.search_where(query[None], K, pushed) for query in queries]  # type: ignore[misc]
    )
    if found["pushed"] == len(rows) > 0:
        # Without a rest for DuckDB, the search must find what an exact search among the matches finds.
        scores = index.search_where(queries, K, pushed).scores
        truth = ExactIndex(vectors[rows]).search(queries, K).scores
        border = truth[:, -1:] - 1e-5 * np.maximum(1, np.abs(truth[:, -1:]))
        found["recall_at_200"] = round(float((scores[:, : truth.shape[1]] >= border).mean()), 4)
    return found


def _answers(place: Path, number: int) -> dict[str, Any]:
    engine = Engine.load(place)
    rows = np.random.default_rng(1).integers(0, engine.num_reviewers, number)
    found = {
        "none": _times([lambda one=one: engine.recommend(one, k=10) for one in engine.reviewer_ids(rows)])
    }  # type: ignore[misc]
    for text in CONDITIONS:
        ids = engine.reviewer_ids(rows[:40])
        found[text] = _times(
            [lambda one=one, text=text: engine.recommend(one, k=10, where=text) for one in ids]
        )  # type: ignore[misc]
    return found


def _times(calls: Sequence[Callable[[], object]]) -> dict[str, float]:
    """Calls each function once; returns milliseconds of wall time and of processor time."""
    calls[0]()
    took, cpu = [], time.process_time()
    for call in calls:
        started = time.perf_counter()
        call()
        took.append(1000 * (time.perf_counter() - started))
    cpu = 1000 * (time.process_time() - cpu) / len(calls)
    return {
        "median": round(statistics.median(took), 3),
        "p95": round(float(np.percentile(took, 95)), 3),
        "cpu": round(cpu, 3),
    }


if __name__ == "__main__":
    main()
