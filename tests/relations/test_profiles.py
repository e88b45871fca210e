"""What an index holds of a movie or of a reviewer, against the histories themselves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from made_index import movie_id, reviewer_id, write_index

from engine import ConfigError, Engine, UnknownIdError
from engine.cli.main import main


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("profiles") / "index"
    write_index(directory)
    return directory


def test_a_movie_counts_its_reviews_by_rating(index: Path) -> None:
    engine = Engine.load(index)
    histories = engine.index.model.histories
    row = int(np.bincount(histories.movie_rows).argmax())
    found = engine.movie(movie_id(row))
    levels = histories.level_rows[histories.movie_rows == row]
    assert found.num_reviews == len(levels)
    assert found.rating_counts == {f"{level}.0": int((levels == level - 1).sum()) for level in range(1, 6)}
    assert found.mean_rating == pytest.approx(levels.mean() + 1, abs=1e-4)


def test_a_reviewer_has_the_latest_reviews_first(index: Path) -> None:
    engine = Engine.load(index)
    found = engine.reviewer(reviewer_id(7), 3)
    history = engine.index.model.histories.of(7)
    assert [review.movie_id for review in found.history] == [
        movie_id(row) for row in history.movie_rows[::-1][:3]
    ]
    assert found.num_reviews == len(history.movie_rows) == sum((found.rating_counts or {}).values())


def test_a_reviewer_without_reviews_has_a_profile(index: Path) -> None:
    found = Engine.load(index).reviewer(reviewer_id(0))
    assert (found.num_reviews, found.mean_rating, found.history) == (0, None, ())


def test_data_without_ratings_has_no_counts_of_ratings(tmp_path: Path) -> None:
    write_index(tmp_path / "index", num_reviewers=30, rated=False)
    engine = Engine.load(tmp_path / "index")
    assert engine.movie(movie_id(3)).rating_counts is None
    assert engine.reviewer(reviewer_id(7)).history[0].rating is None


def test_unknown_ids_and_short_lists_are_refused(index: Path) -> None:
    engine = Engine.load(index)
    for ask in (engine.movie, engine.reviewer):
        with pytest.raises(UnknownIdError):
            ask("nobody")
    with pytest.raises(ConfigError, match="k must be at least 1"):
        engine.reviewer(reviewer_id(7), 0)


@pytest.mark.parametrize("command", [["movie", movie_id(5)], ["reviewer", reviewer_id(7), "-k", "2"]])
def test_the_command_prints_text_and_json(index: Path, command: list[str]) -> None:
    shown = CliRunner().invoke(main, ["show", *command, "--index", str(index)])
    assert shown.exit_code == 0, shown.output
    assert "reviews" in shown.stdout
    as_json = CliRunner().invoke(main, ["show", *command, "--index", str(index), "--json"])
    assert command[1] in json.loads(as_json.stdout).values()
