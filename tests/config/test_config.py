import datetime
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.sections import Config, IngestConfig, load_config
from engine.config.values import convert, merge, parse_text
from engine.errors import ConfigError

ingest_configs = st.builds(
    IngestConfig,
    format=st.sampled_from(["auto", "amazon", "movielens", "table"]),
    columns=st.dictionaries(st.text(), st.text(), max_size=3),
    where=st.none() | st.text(),
    since=st.none() | st.just("2018-01-01"),
    until=st.none() | st.dates(min_value=datetime.date(2018, 1, 1)).map(str),
    verified_only=st.booleans(),
    min_reviews_per_movie=st.integers(min_value=1),
    memory_limit=st.sampled_from(["4GB", "512MiB", "1.5 TB"]),
)


@given(st.builds(Config, seed=st.integers(min_value=0, max_value=2**31 - 1), ingest=ingest_configs))
def test_a_config_survives_json_exactly(config: Config) -> None:
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_later_layers_win(tmp_path: Path) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text("seed = 1\n[ingest]\nthreads = 1\nsince = 2018-01-01\nwhere = 'rating > 1'\n")
    config = load_config(
        recipe, ["seed=2", "ingest.threads=2"], {"seed": 3, "ingest.columns": {"reviewer": "user"}}
    )
    assert (config.seed, config.ingest.threads, config.ingest.since) == (3, 2, "2018-01-01")
    assert config.ingest.where == "rating > 1"
    assert config.ingest.columns == {"reviewer": "user"}
    assert config.ingest.format == "auto"


def test_assignments_take_the_type_of_the_setting() -> None:
    config = load_config(
        None,
        ["ingest.verified_only=yes", "ingest.where=a = 'b=c'", "ingest.columns=reviewer=user,movie=item"],
    )
    assert config.ingest.verified_only is True
    assert config.ingest.where == "a = 'b=c'"
    assert config.ingest.columns == {"reviewer": "user", "movie": "item"}
    assert load_config(None, ["ingest.where=none"]).ingest.where is None
    assert load_config(None, ["ingest.columns.time=when"]).ingest.columns == {"time": "when"}


def test_tuples_and_numbers_are_read_from_text() -> None:
    assert parse_text("layers", "64, 32", tuple[int, ...]) == (64, 32)
    assert parse_text("rate", "1e-3", float) == 0.001
    assert parse_text("rate", "none", float | None) is None
    assert convert("layers", [64, 32], tuple[int, ...]) == (64, 32)
    assert convert("rate", 1, float) == 1.0


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("ingest.thread=2", "did you mean 'ingest.threads'"),
        ("thread=2", "did you mean 'ingest.threads'"),
        ("seed", "section.key=value"),
        ("ingest=2", "Unknown setting 'ingest'"),
        ("seed=many", "'seed' expects a whole number but got 'many'"),
        ("seed=1.5", "expects a whole number"),
        ("ingest.verified_only=maybe", "true or false"),
        ("ingest.format=movielen", "did you mean 'movielens'"),
        ("ingest.threads=-1", "at least 0 and at most 1024 but is -1"),
        ("ingest.min_reviews_per_movie=0", "at least 1"),
        ("ingest.memory_limit=lots", "such as 4GB"),
        ("ingest.since=2018-02-30", "YYYY-MM-DD"),
        ("ingest.columns=reviewer", "a=b,c=d"),
    ],
)
def test_a_bad_assignment_is_refused_in_words(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, [assignment])
    assert message in str(caught.value)


def test_days_must_be_in_order() -> None:
    with pytest.raises(ConfigError, match="later than"):
        IngestConfig(since="2019-01-01", until="2018-01-01")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = ", "not valid TOML"),
        ("sed = 1", "did you mean 'seed'"),
        ("[ingest]\nthreads = true", "'ingest.threads' expects a whole number"),
        ("[ingest]\nwher = 'x'", "did you mean 'ingest.where'"),
        ("ingest = 3", "section of settings"),
        ("[ingest.columns]\nreviewer = 1", "expects text"),
    ],
)
def test_a_bad_recipe_is_refused_in_words(tmp_path: Path, text: str, message: str) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(recipe)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        load_config(tmp_path / "absent.toml")


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ConfigError, match="finite"):
        parse_text("rate", "nan", float)


def test_merging_reaches_into_sections_and_changes_no_argument() -> None:
    recipe = {"ingest": {"threads": 1, "where": "a"}}
    assert merge(recipe, {"ingest.threads": 2}) == {"ingest": {"threads": 2, "where": "a"}}
    assert recipe == {"ingest": {"threads": 1, "where": "a"}}
