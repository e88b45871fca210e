import datetime
import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.former import GONE
from engine.config.sections import Config, IngestConfig, load_config
from engine.config.values import convert, merge, parse_assignment, parse_text, setting_types
from engine.errors import ConfigError

ingest_configs = st.builds(
    IngestConfig,
    format=st.sampled_from(["auto", "amazon", "movielens", "table"]),
    columns=st.dictionaries(st.text(), st.text(), max_size=3),
    where=st.none() | st.text(),
    since=st.none() | st.just("2018-01-01"),
    until=st.none() | st.dates(min_value=datetime.date(2018, 1, 1)).map(str),
    verified_only=st.booleans(),
    min_reviews_per_movie=st.integers(min_value=1, max_value=2**63 - 1),
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


def test_a_setting_is_still_read_under_its_old_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[rating]\nmax_epochs = 5\n")
    config = load_config(recipe, ["relevance.max_epochs=3"])
    assert (config.relevance.max_rounds, config.rating.max_rounds) == (3, 5)
    assert "'rating.max_epochs' is called 'rating.max_rounds' now" in caplog.text
    assert load_config(recipe, ["rating.max_rounds=7"]).rating.max_rounds == 7
    caplog.clear()
    assert Config.from_dict({"rating": {"max_epochs": 6}}).rating.max_rounds == 6
    assert caplog.text == ""
    recipe.write_text("[rating]\nmax_epochs = 5\nmax_rounds = 6\n")
    with pytest.raises(ConfigError, match=r"'rating\.max_epochs' is the old name of 'rating\.max_rounds'"):
        load_config(recipe)
    assert "max_epochs" not in json.dumps(config.to_dict())


@pytest.mark.parametrize("setting", GONE)
def test_a_setting_that_is_fixed_now_is_refused_but_an_older_index_may_name_it(
    setting: str, tmp_path: Path
) -> None:
    section, _, name = setting.partition(".")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f"[{section}]\n{name} = 1\n")
    for wrong in ((recipe, []), (None, [f"{setting}=1"])):
        with pytest.raises(ConfigError, match=f"'{setting}' is fixed now"):
            load_config(*wrong)
    assert Config.from_dict({"seed": 1, section: {name: 1}}) == Config(seed=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": {"test_share": 0.6}}, "'split.test_share' must be at least 0 and at most 0.5 but is 0.6"),
        ({"rating": {"hidden_units": [32, 0]}}, "'rating.hidden_units' must be at least 1"),
        ({"popularity": {"half_life_days": 0}}, "'popularity.half_life_days' must be at least 0.01 but is 0"),
        ({"index": {"kind": "ifv"}}, "did you mean 'ivf'"),
    ],
)
def test_a_value_out_of_range_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_dict(settings)
    assert message in str(caught.value)


def test_the_page_of_settings_is_what_the_code_says() -> None:
    script = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "settings.py"))
    assert script["PAGE"].read_text(encoding="utf-8") == script["render"](), "run: python docs/settings.py"


def test_of_every_setting_is_said_what_it_means_and_when_to_change_it() -> None:
    script = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "settings.py"))
    told = {"": script["meanings"](Config)}
    told |= {
        f"{name}.": script["meanings"](type(getattr(Config(), name)))
        for name in Config().to_dict()
        if name != "seed"
    }
    for setting in setting_types(Config):
        section, dot, name = setting.rpartition(".")
        meaning, when = told[f"{section}{dot}"][name]
        assert len(meaning) > 10, setting
        assert when, setting


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reviewer=a, movie = b", {"reviewer": "a", "movie": "b"}),
        ('title="Title, original=yes",time=', {"title": "Title, original=yes", "time": ""}),
        ("title='a \"b\", c'", {"title": 'a "b", c'}),
        ("rating=a=b", {"rating": "a=b"}),
    ],
)
def test_the_values_of_pairs_may_hold_commas_in_quotes(text: str, expected: dict[str, str]) -> None:
    assert parse_assignment(Config, f"ingest.columns={text}")[1] == expected
