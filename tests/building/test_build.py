"""A build from files to a live index: what it learns, what it says of itself, what a failing one leaves."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from engine import Engine
from engine.artifact.reader import Artifact
from engine.config.sections import Config, RelevanceConfig, load_config
from engine.errors import TrainingError
from pipelines import BuildResult, build_index
from pipelines.dataset.reviews import make_reviews
from pipelines.training.loops import train_relevance

pytestmark = pytest.mark.slow
NUM_MOVIES, NUM_REVIEWERS = 60, 240
ALONE = "report.baselines_up_to=0"
QUICK = (
    *(
        "relevance.max_rounds=1",
        "relevance.num_members=1",
        "relevance.embedding_dim=8",
        "rating.max_rounds=1",
    ),
    *("split.max_holdouts=1", ALONE),
)
LEARNING = (
    *("relevance.max_rounds=8", "rating.max_rounds=4", "relevance.embedding_dim=16", "rating.dim=8"),
    *("relevance.num_members=1", "split.max_holdouts=2"),
    ALONE,
)
ARRAYS = (
    "movie_vectors",
    "history_vectors",
    "reviewer_embeddings",
    "rating_movie_vectors",
    "rating_kernel_0",
)


def write_two_tastes(path: Path, num_reviewers: int = NUM_REVIEWERS) -> Path:
    """Half of the reviewers come to the first half of the movies, half to the others; both like most of them.

    Behind the reviews stand two rows of no use and one that repeats another.
    """
    generator = np.random.default_rng(0)
    rows: list[list[Any]] = []
    for reviewer in range(num_reviewers):
        own = generator.permutation(NUM_MOVIES // 2)[:12] + (reviewer % 2) * (NUM_MOVIES // 2)
        for place, movie in enumerate(own):
            rating = generator.choice([5.0, 4.0, 2.0], p=[0.6, 0.3, 0.1])
            rows.append(
                [f"R{reviewer:03d}", f"M{movie:03d}", rating, 1_500_000_000 + 1000 * place + reviewer]
            )
    rows += [["R000", "M001", "good", 1_500_000_000], ["", "M001", 4.0, 1_500_000_000], rows[-1]]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["reviewer_id", "movie_id", "rating", "time"], *rows])
    return path


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


class Built(NamedTuple):
    reviews: Path
    directory: Path
    config: Config
    result: BuildResult

    @property
    def manifest(self) -> dict[str, Any]:
        return self.result.manifest


@pytest.fixture(scope="module")
def tastes(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("tastes")
    reviews = write_two_tastes(folder / "reviews.csv")
    config = load_config(assignments=LEARNING)
    result = build_index((reviews,), output=folder / "index", config=config)
    return Built(reviews, folder / "index", config, result)


def test_two_tastes_that_never_mix_are_told_apart(tastes: Built) -> None:
    engine = Engine.load(tastes.directory)
    own = []
    for reviewer in range(0, NUM_REVIEWERS, 6):
        for parity in (reviewer, reviewer + 1):
            movies = [int(found.movie_id[1:]) for found in engine.recommend(f"R{parity:03d}", 10)]
            own += [(movie >= NUM_MOVIES // 2) == bool(parity % 2) for movie in movies]
    assert np.mean(own) > 0.95  # by popularity it would be about half


def test_held_out_reviews_are_found_better_than_by_popularity(tastes: Built) -> None:
    metrics = tastes.manifest["metrics"]
    assert metrics["ncf"]["ndcg@10"] > metrics["popularity"]["ndcg@10"] + 0.05
    assert metrics["ncf"]["recall@10"] > metrics["popularity"]["recall@10"] + 0.1


def test_similar_movies_are_of_the_same_taste(tastes: Built) -> None:
    engine = Engine.load(tastes.directory)
    for movie in range(0, NUM_MOVIES, 10):
        similar = [int(found.movie_id[1:]) for found in engine.similar(f"M{movie:03d}", 10)]
        assert np.mean([(other >= 30) == (movie >= 30) for other in similar]) > 0.9


def test_the_manifest_says_how_the_index_was_made_and_how_good_it_is(tastes: Built) -> None:
    manifest = Engine.load(tastes.directory).info()
    assert {name: manifest[name] for name in tastes.manifest} == json.loads(json.dumps(tastes.manifest))
    assert Config.from_dict(manifest["config"]) == tastes.config
    assert manifest["seed"] == tastes.config.seed
    num_reviews = NUM_REVIEWERS * 12
    expected = {"reviews": num_reviews, "reviewers": NUM_REVIEWERS, "movies": NUM_MOVIES, "cold_movies": 0}
    assert manifest["counts"] == expected
    accounting = manifest["accounting"]
    assert (accounting["read"], accounting["kept"]) == (num_reviews + 3, num_reviews)
    parts = ("kept", "duplicate", "filtered", "rejected")
    assert [accounting[part] for part in parts] == [num_reviews, 1, 0, 2]
    assert accounting["read"] == sum(accounting[part] for part in parts)
    metrics = manifest["metrics"]
    assert set(metrics) == {"ncf", "popularity", "constant"}
    assert 0 < metrics["ncf"]["rmse"] < metrics["constant"]["rmse"] + 0.1
    assert {"ndcg@10", "recall@10", "mae", "rmse", "calibration_error"} <= set(metrics["ncf"])


def test_the_manifest_holds_the_audit_and_the_course_of_the_training(tastes: Built) -> None:
    manifest = tastes.manifest
    audit = manifest["audit"]
    assert audit["recall"] >= audit["floor"] == 0.99
    assert (audit["k"], audit["reviewers"]) == (10, NUM_REVIEWERS)
    assert 1 <= manifest["search"]["num_candidates"] <= NUM_MOVIES
    for name, most in (("relevance", 8), ("rating", 4)):
        curves = manifest["training"]["curves"][name]
        assert 1 <= manifest["training"]["rounds"][name] <= len(curves["loss"]) <= most
        assert len(curves["validation"]) == len(curves["loss"])
        assert np.isfinite(curves["loss"]).all()


def test_rejected_rows_lie_in_a_ledger_with_file_line_and_reason(tastes: Built) -> None:
    import duckdb

    ledger = str(Artifact.open(tastes.directory).file("rejected.parquet"))
    with duckdb.connect() as database:
        rows = database.read_parquet(ledger).order("line").fetchall()
    lines = tastes.reviews.read_text().splitlines()
    assert len(rows) == 2
    for row, number, text in zip(rows, (-3, -2), ("R000,M001,good", ",M001,4.0"), strict=True):
        assert row[0] == "review"
        assert str(tastes.reviews) in map(str, row)
        assert len(lines) + number + 1 in row
        assert any(isinstance(value, str) and value.startswith(text) for value in row)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_two_tastes(tmp_path_factory.mktemp("small") / "reviews.csv", num_reviewers=30)


def test_equal_seeds_give_equal_indexes(small: Path, tmp_path: Path) -> None:
    config = load_config(assignments=(*QUICK, "split.test_share=0", "seed=7"))
    directories = [tmp_path / "one", tmp_path / "two"]
    for directory in directories:
        build_index((small,), output=directory, config=config)
    one, two = map(Artifact.open, directories)
    for array in ARRAYS:
        np.testing.assert_array_equal(one.array(array), two.array(array))
    assert one.manifest["training"] == two.manifest["training"]
    assert (one.manifest["seed"], one.manifest["metrics"]) == (7, {})
    lists = [Engine.load(directory).recommend("R003", 20) for directory in directories]
    assert lists[0] == lists[1]


def test_another_seed_gives_other_vectors() -> None:
    rows = np.arange(200)
    reviews = make_reviews(rows // 5, rows * 7 % 60, None, rows, num_reviewers=40, num_movies=60)
    likes, config = reviews.likes(0), RelevanceConfig(embedding_dim=4)
    heads = [train_relevance(reviews, likes, config, seed, rounds=1).head for seed in (7, 8)]
    assert not np.allclose(heads[0].movie_vectors, heads[1].movie_vectors, atol=1e-2)


@pytest.mark.parametrize("head", ["relevance", "rating"])
def test_a_loss_that_is_not_finite_stops_the_build_and_leaves_the_old_index_live(
    head: str, tastes: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Path(shutil.copytree(tastes.directory, tmp_path / "index"))
    before, answer = contents(live), Engine.load(live).recommend("R001")
    network = {"relevance": "RelevanceNetwork", "rating": "RatingNetwork"}[head]
    monkeypatch.setattr(f"pipelines.training.loops.{network}.train", lambda *_: float("nan"))
    with pytest.raises(TrainingError, match=f"{head} loss is not finite.*{head}.learning_rate"):
        build_index((tastes.reviews,), output=live, config=load_config(assignments=QUICK))
    assert contents(live) == before
    assert Engine.load(live).recommend("R001") == answer


def test_held_out_reviews_without_a_like_leave_figures_empty_and_the_index_whole(tmp_path: Path) -> None:
    rows = [
        [f"R{reviewer}", f"M{(reviewer + place) % 12}", 5.0 if place < 5 else 1.0, 1_500_000_000 + place]
        for reviewer in range(15)
        for place in range(7)
    ]
    reviews = tmp_path / "reviews.csv"
    with reviews.open("w", newline="") as file:
        csv.writer(file).writerows([["reviewer_id", "movie_id", "rating", "time"], *rows])
    build_index((reviews,), output=tmp_path / "index", config=load_config(assignments=QUICK))
    engine = Engine.load(tmp_path / "index")
    assert engine.info()["metrics"]["ncf"]["ndcg@10"] is None
    assert engine.info()["metrics"]["ncf"]["mae"] > 0
    assert len(engine.recommend("R3", 20)) == 5


COLD = """
import json, sys
from click.testing import CliRunner
from engine.cli.main import main
result = CliRunner().invoke(main, ["recommend", "reviewer", "196", "--index", sys.argv[1], "--json"])
heavy = [name for name in ("tensorflow", "keras", "pandas", "sklearn") if name in sys.modules]
print(json.dumps([result.exit_code, heavy, result.stdout]))
"""


@pytest.mark.real
def test_movielens_100k_is_ranked_far_better_than_by_popularity(real_data: Path, tmp_path: Path) -> None:
    """Every third of its reviewers is enough to tell."""
    lines = (real_data / "movielens-100k" / "u.data").read_text().splitlines(keepends=True)
    (tmp_path / "u.data").write_text("".join(line for line in lines if int(line.split("\t")[0]) % 3 == 1))
    shutil.copy(real_data / "movielens-100k" / "u.item", tmp_path)
    directory = tmp_path / "movielens"
    short = (
        "relevance.max_rounds=8",
        "rating.max_rounds=4",
        "relevance.num_members=1",
        "split.max_holdouts=1",
    )
    config = load_config(assignments=(*short, ALONE))
    result = build_index((tmp_path / "u.data",), output=directory, config=config)
    metrics = result.manifest["metrics"]
    assert metrics["ncf"]["ndcg@10"] >= 1.6 * metrics["popularity"]["ndcg@10"]
    assert metrics["ncf"]["rmse"] < metrics["constant"]["rmse"]
    assert result.manifest["audit"]["recall"] >= 0.99
    done = subprocess.run(
        [sys.executable, "-c", COLD, str(directory)], capture_output=True, text=True, check=True
    )
    exit_code, heavy, shown = json.loads(done.stdout)
    assert (exit_code, heavy) == (0, [])
    assert len(json.loads(shown)) > 0
