"""Reviews added to an index without training."""

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner
from forged import forge_file

import pipelines
from engine import Engine
from engine.artifact.ids import IdTable
from engine.artifact.reader import Artifact
from engine.catalogue.cards import MovieCards
from engine.cli.main import main
from engine.errors import ArtifactError, DataError, EngineError, SourceError
from engine.model.scorer import Model
from pipelines import add_reviews
from pipelines.updating import rewriting
from pipelines.updating.drift import reason_to_retrain

pytestmark = pytest.mark.slow


LATE = 1_700_000_000
"""A time after all reviews of the sample, in unix seconds."""


@pytest.fixture
def index(sample_index: Path, tmp_path: Path) -> Path:
    directory = tmp_path / "index"
    shutil.copytree(sample_index, directory)
    return directory


def table(index: Path, kind: str) -> IdTable:
    artifact = Artifact.open(index)
    return IdTable(artifact.array(f"{kind}_ids"), artifact.array(f"{kind}_id_offsets"))


def write(path: Path, rows: list[tuple[Any, ...]]) -> Path:
    lines = [",".join(map(str, row)) for row in [("user", "item", "rating", "timestamp"), *rows]]
    path.write_text("\n".join([*lines, ""]))
    return path


def reviews_of(index: Path) -> dict[tuple[str, str], float]:
    """Every review by the ids, read past the engine."""
    artifact = Artifact.open(index)
    model = Model.open(artifact)
    assert model.rating is not None
    reviewers, movies = list(table(index, "reviewer")), list(table(index, "movie"))
    histories = model.histories
    levels = model.rating.levels[histories.level_rows]
    return {
        (reviewers[reviewer], movies[movie]): float(level)
        for reviewer, movie, level in zip(
            histories.places.tolist(), histories.movie_rows.tolist(), levels, strict=True
        )
    }


def test_added_reviews_are_in_histories_ids_counts_and_lists(index: Path, tmp_path: Path) -> None:
    before, reviewers, movies = reviews_of(index), list(table(index, "reviewer")), list(table(index, "movie"))
    (changed, old_rating), known = next(iter(before.items())), reviewers[7]
    fresh = next(movie for movie in movies if (known, movie) not in before)
    rating = 1 if old_rating > 3 else 5
    late = LATE
    rows = [
        (*changed, rating, late),
        (known, fresh, 5, late),
        ("0-first", movies[4], 5, late),
        ("0-first", movies[9], 4, late + 1),
        ("zzz-last", movies[4], 2, late),
        ("zzz-last", "no-such-movie", 2, late),
        ("only-unknown", "no-such-movie", 2, late),
    ]
    old_embeddings = np.array(Artifact.open(index).array("reviewer_embeddings"))
    result = add_reviews([write(tmp_path / "new.csv", rows)], index=index)
    expected = before | {
        changed: float(rating),
        (known, fresh): 5.0,
        ("0-first", movies[4]): 5.0,
        ("0-first", movies[9]): 4.0,
        ("zzz-last", movies[4]): 2.0,
    }
    assert reviews_of(index) == expected
    names = list(table(index, "reviewer"))
    assert names == sorted([*reviewers, "0-first", "zzz-last"], key=str.encode)
    update = result.update
    assert (update["added"], update["replaced"], update["new_reviewers"]) == (4, 1, 2)
    assert (update["reviews_of_unknown_movies"], update["unknown_movies"]) == (2, 1)
    assert result.manifest["counts"]["reviews"] == len(expected)
    assert result.manifest["counts"]["reviewers"] == len(names)
    artifact = Artifact.open(index)
    artifact.verify()
    kept = [names.index(name) for name in reviewers]
    np.testing.assert_array_equal(artifact.array("reviewer_embeddings")[kept], old_embeddings)
    engine = Engine.load(index)
    assert fresh not in {item.movie_id for item in engine.recommend(known, len(movies))}
    assert len(engine.recommend("0-first", 10)) == 10
    assert (
        engine.predict(["zzz-last"], [movies[0]]).mean[0] < engine.predict(["0-first"], [movies[0]]).mean[0]
    )


def test_reviewers_without_embeddings_are_their_histories(index: Path, tmp_path: Path) -> None:
    """An index without embeddings answers as an index whose embeddings are zeros, also after an update."""
    num_reviewers, dim = Artifact.open(index).array("reviewer_embeddings").shape
    movies, known = list(table(index, "movie")), list(table(index, "reviewer"))[7]
    new = write(tmp_path / "new.csv", [(known, movies[2], 5, LATE), ("0-first", movies[4], 5, LATE)])
    answers = []
    for width in (dim, 0):
        np.save(tmp_path / "zeros.npy", np.zeros((num_reviewers, width), np.float32))
        forge_file(index, "reviewer_embeddings.npy", (tmp_path / "zeros.npy").read_bytes())
        copy = tmp_path / f"copy-{width}"
        shutil.copytree(index, copy)
        add_reviews([new], index=copy)
        assert Artifact.open(copy).array("reviewer_embeddings").shape == (num_reviewers + 1, width)
        for engine in (Engine.load(index), Engine.load(copy)):
            answers.append(
                (
                    engine.recommend(known, 5),
                    engine.similar_reviewers(known, 5),
                    engine.reviewers_for(movies[3], 5),
                )
            )
    assert answers[:2] == answers[2:]


def test_counts_and_averages_stay_true(index: Path, tmp_path: Path) -> None:
    before = reviews_of(index)
    popularity = Artifact.open(index).array("movie_popularity")
    reviewer, movie = next(iter(before))
    others = [name for name in table(index, "reviewer") if (name, movie) not in before][:3]
    rows = [(reviewer, movie, 1, LATE), *((name, movie, 2, LATE) for name in others)]
    add_reviews([write(tmp_path / "new.csv", rows)], index=index)
    after = [rating for (_, one), rating in reviews_of(index).items() if one == movie]
    artifact, row = Artifact.open(index), table(index, "movie").row(movie)
    assert row is not None
    card = MovieCards(artifact.array("movie_cards"), artifact.array("movie_card_offsets")).card(row)
    assert card["movie_count"] == len(after)
    assert card["average_rating"] == pytest.approx(np.mean(after))
    assert artifact.array("movie_counts")[row] == len(after)
    with duckdb.connect(str(artifact.file("catalog.duckdb")), read_only=True) as database:
        stored = database.execute(
            "select movie_count, average_rating from movies where movie_row = ?", [row]
        ).fetchall()
    assert stored == [(len(after), pytest.approx(np.mean(after)))]
    assert artifact.array("movie_popularity")[row] > popularity[row]
    assert len(artifact.array("history_times")) == len(artifact.array("history_movie_rows"))


def test_adding_the_same_again_changes_nothing(index: Path, tmp_path: Path) -> None:
    movies = list(table(index, "movie"))
    file = write(tmp_path / "new.csv", [("new", movie, 4, LATE) for movie in movies[:5]])
    assert add_reviews([file], index=index).update["changed"]
    current = (index / "CURRENT").read_bytes()
    again = add_reviews([file], index=index)
    assert not again.update["changed"]
    assert again.update["already_there"] == 5
    assert (index / "CURRENT").read_bytes() == current
    assert len(list(index.glob("build-*"))) == 2
    earlier = write(tmp_path / "earlier.csv", [("new", movies[0], 1, 5)])
    assert not add_reviews([earlier], index=index).update["changed"]


def test_an_engine_that_is_open_goes_on_with_its_version(index: Path, tmp_path: Path) -> None:
    engine, movies = Engine.load(index), list(table(index, "movie"))
    reviewer = table(index, "reviewer").id(3)
    before = engine.recommend(reviewer, 5)
    add_reviews([write(tmp_path / "new.csv", [("0", movies[0], 5, 9)])], index=index)
    assert engine.recommend(reviewer, 5) == before
    assert Engine.load(index).recommend(reviewer, 5) == before


def test_a_failure_leaves_the_index_as_it_was(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    movies = list(table(index, "movie"))
    current = (index / "CURRENT").read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", str(index / "x"))

    monkeypatch.setattr(rewriting, "_write_catalogue", fail)
    with pytest.raises(ArtifactError, match="disk is full"):
        add_reviews([write(tmp_path / "new.csv", [("0", movies[0], 5, 9)])], index=index)
    assert (index / "CURRENT").read_bytes() == current
    Artifact.open(index).verify()
    assert not list(index.glob(".partial-*"))


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([("0", "no-such-movie", 5, 9)], DataError, "holds none of the 1 movies"),
        ([("0", "{movie}", 9, 9)], DataError, "beyond those of the index, 1 to 5"),
        ([("0", "{movie}", "", 9)], DataError, "have no ratings"),
        ([("0", "{movie}", "x", 9)], DataError, "None of the 1 rows"),
        ([], DataError, "No reviews|nothing but"),
    ],
)
def test_reviews_that_do_not_fit_are_refused(
    index: Path, tmp_path: Path, rows: list[tuple[Any, ...]], error: type[EngineError], message: str
) -> None:
    movie = table(index, "movie").id(0)
    filled = [tuple(movie if cell == "{movie}" else cell for cell in row) for row in rows]
    current = (index / "CURRENT").read_bytes()
    with pytest.raises(error, match=message):
        add_reviews([write(tmp_path / "new.csv", filled)], index=index)
    assert (index / "CURRENT").read_bytes() == current


def test_there_must_be_an_index_and_a_file(index: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="There is no index"):
        add_reviews([tmp_path / "new.csv"], index=tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(SourceError, match="There is no file"):
        add_reviews([tmp_path / "new.csv"], index=index)
    assert pipelines.add_reviews is add_reviews


def test_much_that_is_new_asks_for_a_training(index: Path, tmp_path: Path) -> None:
    artifact, movies = Artifact.open(index), list(table(index, "movie"))
    wanted = int(0.3 * artifact.manifest["counts"]["reviews"])
    rows = [(f"new-{number}", movies[number % len(movies)], 1 + number % 5, 9) for number in range(wanted)]
    file = write(tmp_path / "new.csv", rows)
    result = CliRunner().invoke(main, ["add-reviews", str(file), "--index", str(index), "--json"])
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert said["updates"]["retrain"]
    assert said["updates"]["share_since_training"] == pytest.approx(0.3, abs=0.01)
    assert "Train again with build-index: the reviews added are 30%" in result.stderr
    shown = CliRunner().invoke(main, ["info", "--index", str(index)])
    assert "Train again with build-index" in shown.stderr
    assert "retrain: yes" in shown.stdout


def test_reasons_to_train_again() -> None:
    trained = {"rmse": 1.0}
    assert reason_to_retrain(0.1, 0.1, {"reviews": 500, "rmse": 1.05}, trained) is None
    assert "error on new ratings" in str(reason_to_retrain(0.1, 0.1, {"reviews": 500, "rmse": 1.2}, trained))
    assert reason_to_retrain(0.1, 0.1, {"reviews": 50, "rmse": 1.2}, trained) is None
    assert "does not hold" in str(reason_to_retrain(0.1, 0.5, {"reviews": 0}, {}))
    assert "30%" in str(reason_to_retrain(0.3, 0.0, {"reviews": 0}, {}))


def test_held_out_figures_are_of_the_model_before(index: Path, tmp_path: Path) -> None:
    before, movies = reviews_of(index), list(table(index, "movie"))
    rows = [
        (reviewer, movie, 4, LATE)
        for reviewer in list(table(index, "reviewer"))[:30]
        for movie in movies[:6]
        if (reviewer, movie) not in before
    ]
    engine = Engine.load(index)
    predicted = engine.predict([row[0] for row in rows], [row[1] for row in rows])
    held_out = add_reviews([write(tmp_path / "new.csv", rows)], index=index).update["held_out"]
    assert held_out["reviews"] == len(rows)
    assert held_out["rmse"] == pytest.approx(float(np.sqrt(np.mean((predicted.mean - 4.0) ** 2))), abs=1e-4)
    assert 0 <= held_out["recall@10"] <= 1
