import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from engine.cli.main import main
from engine.config.sections import Config, load_config
from engine.config.values import merge
from engine.errors import ConfigError, DataError
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.tuning.parts import PARTS, split_for_tuning
from pipelines.tuning.recipe import differences, write_recipe
from pipelines.tuning.tune import Tuning, tune_reviews

QUICK = (
    "relevance.max_rounds=2",
    "relevance.embedding_dim=16",
    "relevance.num_members=1",
    "rating.max_rounds=2",
    "rating.dim=4",
    "ingest.threads=2",
)


def some_reviews(num_reviewers: int = 60, num_movies: int = 30, seed: int = 0) -> Reviews:
    generator = np.random.default_rng(seed)
    movies = [generator.permutation(num_movies)[:12] for _ in range(num_reviewers)]
    size = num_reviewers * 12
    return make_reviews(
        np.repeat(np.arange(num_reviewers), 12),
        np.concatenate(movies),
        generator.integers(1, 6, size).astype(np.float64),
        np.arange(size),
        num_reviewers=num_reviewers,
        num_movies=num_movies,
    )


def quick_tuning(tmp_path: Path, trials: int, reviews: Reviews | None = None) -> Tuning:
    config = load_config(assignments=QUICK)
    storage = tmp_path / "recipe.trials.sqlite"
    return tune_reviews(
        some_reviews() if reviews is None else reviews, config, storage, time_budget=600, trials=trials
    )


def test_the_test_share_is_never_looked_at() -> None:
    reviews = some_reviews()
    data = split_for_tuning(reviews, load_config())
    last_times = [data.held_out.times[data.held_out.reviewer_rows == row].max() for row in range(60)]
    # Of each reviewer's 12 reviews the last 2 are the test share, and the one before those validates.
    assert [int(time % 12) for time in last_times] == [9] * 60
    assert len(data.train) == 60 * 9
    whole = split_for_tuning(reviews, load_config(assignments=["split.test_share=0"]))
    assert {int(time % 12) for time in whole.held_out.times} == {11}


@pytest.mark.slow
def test_every_part_is_tuned_and_never_gets_worse_and_a_second_run_goes_on(tmp_path: Path) -> None:
    found = quick_tuning(tmp_path, 1)
    assert [part.name for part in found.parts] == ["relevance", "neighbours", "rating"]
    assert quick_tuning(tmp_path, 1) == found
    more = quick_tuning(tmp_path, 2)
    assert all(part.trials == 2 and part.after >= part.before for part in more.parts)
    assert [part.before for part in more.parts] == [part.before for part in found.parts]
    other = quick_tuning(tmp_path, 1, some_reviews(seed=1))
    assert [part.trials for part in other.parts] == [1, 1, 1]


@pytest.mark.slow
def test_the_first_trial_of_each_part_is_what_was_there(tmp_path: Path) -> None:
    found = quick_tuning(tmp_path, 1)
    assert found.config == load_config(assignments=QUICK)


@pytest.mark.slow
def test_a_budget_that_is_over_still_leaves_one_trial_a_part(tmp_path: Path) -> None:
    config = load_config(assignments=QUICK)
    found = tune_reviews(some_reviews(), config, tmp_path / "a.sqlite", time_budget=0.001, trials=50)
    assert [part.trials for part in found.parts] == [1, 1, 1]


@pytest.mark.slow
def test_poor_trials_are_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = iter([3.0, 3.0, 3.0, 1.0])

    def measure(_data: object, _config: object, on_figure: object) -> float:
        figure = next(figures)
        for _ in range(4):
            on_figure(figure)  # type: ignore[operator]
        return figure

    part = PARTS[1]
    monkeypatch.setattr("pipelines.tuning.tune.PARTS", (type(part)(**{**vars(part), "measure": measure}),))
    found = quick_tuning(tmp_path, 4)
    assert [(part.trials, part.pruned, part.after) for part in found.parts] == [(4, 1, 3.0)]


def test_the_parts_name_settings_that_exist_with_their_defaults_in_range() -> None:
    config = Config().to_dict()
    for part in PARTS:
        for name, (low, high, _, whole) in part.ranges.items():
            section, setting = name.split(".")
            assert low <= config[section][setting] <= high, name
            assert isinstance(config[section][setting], int) == whole, name
            for value in (low, high):
                Config.from_dict(merge({name: int(value) if whole else value}))


def test_too_few_reviewers_to_judge_by_are_refused() -> None:
    with pytest.raises(DataError, match="expected at least 10"):
        split_for_tuning(some_reviews(num_reviewers=6), load_config())


@pytest.mark.parametrize(
    "assignments",
    [
        [],
        ["seed=7", "relevance.l2=1e-05", "rating.hidden_units=64,32", "ingest.verified_only=true"],
        ["ingest.columns=reviewer=user name,movie=item", "ingest.where=title = 'a \"b\" \\ ü'", "seed=1"],
    ],
)
def test_a_recipe_gives_back_what_was_written(tmp_path: Path, assignments: list[str]) -> None:
    config = load_config(assignments=assignments)
    path = tmp_path / "recipe.toml"
    write_recipe(config, path, ["What was found:", "", "relevance 0.1 -> 0.2"])
    assert load_config(path) == config
    assert tomllib.loads(path.read_text(encoding="utf-8")) == differences(config)
    assert path.read_text(encoding="utf-8").startswith("# What was found:\n#\n# relevance 0.1 -> 0.2\n")
    assert [entry.name for entry in tmp_path.iterdir()] == ["recipe.toml"]


@pytest.mark.parametrize(
    ("name", "message"), [("recipe.json", "end with .toml"), ("nowhere/recipe.toml", "create it first")]
)
def test_a_recipe_is_refused_where_it_cannot_go(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        write_recipe(Config(), tmp_path / name)


@pytest.mark.slow
def test_the_command_writes_a_recipe_that_a_build_takes(tmp_path: Path) -> None:
    reviews = some_reviews()
    path = tmp_path / "ratings.csv"
    rows = zip(reviews.reviewer_rows, reviews.movie_rows, reviews.ratings, reviews.times, strict=True)
    path.write_text("reviewer,movie,rating,time\n" + "".join(f"R{r},M{m},{s:g},{t}\n" for r, m, s, t in rows))
    recipe = tmp_path / "recipe.toml"
    command = ["tune", str(path), "--output", str(recipe), "--trials", "2", "--time-budget", "10m", "--json"]
    result = CliRunner().invoke(main, [*command, *(f"--set={setting}" for setting in QUICK)])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["output"] == str(recipe)
    assert all(part["after"] >= part["before"] for part in found["parts"])
    config = load_config(recipe)
    for part in found["parts"]:
        for name, value in part["settings"].items():
            section, setting = name.split(".")
            assert config.to_dict()[section][setting] == value
    index = tmp_path / "index"
    built = CliRunner().invoke(
        main, ["build-index", str(path), "--output", str(index), "--config", str(recipe), "--json"]
    )
    assert built.exit_code == 0, built.output
    assert json.loads(built.stdout)["config"] == config.to_dict()


@pytest.mark.parametrize("budget", ["soon", "0", "10 days", "-5m"])
def test_a_time_that_is_none_is_wrong_usage(budget: str) -> None:
    command = ["tune", "x.csv", "--output", "r.toml", f"--time-budget={budget}"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "is not a time" in result.output


def test_trials_that_cannot_be_kept_are_an_error_in_one_sentence(tmp_path: Path) -> None:
    storage = tmp_path / "a.sqlite"
    storage.write_text("This is no database at all, however long one looks at it.")
    with pytest.raises(DataError, match="move the file away"):
        tune_reviews(some_reviews(), load_config(assignments=QUICK), storage, time_budget=1, trials=1)
