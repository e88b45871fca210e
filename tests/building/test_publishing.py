"""A build replaces the live build only under the condition that was given."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from command_runs import QUICK
from made_index import write_index

from engine import ConfigError, NotPublishedError
from engine.artifact.builds import kept_builds, live_build
from engine.artifact.writer import ArtifactWriter
from engine.cli.main import main
from engine.config.sections import Config, load_config
from pipelines.building.publishing import COUNTS, QUALITY, judge, read_condition

FIGURES = {"ndcg@10": 0.2, "mae": 0.8}


def write_build(
    directory: Path, condition: str | None = None, *, reviews: int = 1000, **figures: float
) -> NotPublishedError | None:
    """Writes a build with some figures; gives the error, if the condition is not met."""
    checked = None if condition is None else read_condition(condition, Config(), directory)
    with ArtifactWriter(directory) as writer:
        writer.add_array("movie_vectors", np.ones((5, 3), dtype=np.float32))
        named = {name.replace("_at_", "@"): value for name, value in figures.items()}
        writer.add_section("metrics", {"ncf": {**FIGURES, **named}})
        writer.add_section("counts", {"reviews": reviews, "reviewers": 10, "movies": 5})
        return None if checked is None else judge(checked, writer)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    write_build(tmp_path / "index")
    return tmp_path / "index"


@pytest.mark.parametrize(
    "condition",
    [
        "ndcg@10 >= 0.97 * live",
        "ndcg@10>=.97*live",
        "ndcg@10 > 0.1 and mae <= 1.02 * live AND reviews >= 0.9 * live",
        "mae <= live",
        "reviews > 999 and movies < 6",
    ],
)
def test_a_build_that_meets_the_condition_is_published(index: Path, condition: str) -> None:
    before = live_build(index)
    assert write_build(index, condition) is None
    assert live_build(index) != before


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (
            "ndcg@10 >= 0.97 * live",
            "since ndcg@10 is 0.1500, under 0.1940, which is 0.97 * 0.2000 of the live build; the live build "
            "stays",
        ),
        ("ndcg@10 > 0.15", "since ndcg@10 is 0.1500, not over 0.15;"),
        ("mae < live", "since mae is 0.8000, not under 0.8000, which is 1 * 0.8000 of the live build;"),
        ("reviews >= 2 * live", "reviews is 1,000, under 2,000, which is 2 * 1,000 of the live build;"),
        ("reviews < 5 and ndcg@10 > live", "reviews is 1,000, not under 5; ndcg@10 is 0.1500, not over 0.2"),
        ("rmse < 1", "rmse was not measured on the new build"),
    ],
)
def test_a_build_that_does_not_meet_the_condition_stays_beside_the_live_one(
    index: Path, condition: str, said: str
) -> None:
    before = live_build(index)
    error = write_build(index, condition, ndcg_at_10=0.15)
    assert error is not None
    assert said in str(error)
    assert live_build(index) == before
    assert [build.refused is None for build in kept_builds(index)] == [True, False]
    assert error.build.name == kept_builds(index)[1].name
    assert error.build.is_dir()


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("", "write comparisons such as"),
        ("ndcg@10", "'ndcg@10' in --publish-if is no comparison"),
        ("ndcg@10 >= 0.97 * live and", "is no comparison"),
        ("ndcg@10 >= 0.97 * dead", "is no comparison"),
        ("ndcg@10 = 0.97", "is no comparison"),
        ("ndcg@10 >= -1", "is no comparison"),
        ("__import__('os') > 1", "is no comparison"),
        (
            "ndgc@10 >= 0.97",
            "No figure 'ndgc@10' can be compared in --publish-if; a build has ndcg@10,",
        ),
        ("rmse < live", "has no figure rmse, with which"),
    ],
)
def test_a_condition_that_cannot_be_judged_is_refused_before_the_build(
    index: Path, condition: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        read_condition(condition, Config(), index)


def test_a_build_that_holds_nothing_out_cannot_be_judged_by_quality(index: Path) -> None:
    config = load_config(assignments=["split.test_share=0"])
    assert read_condition("reviews > 5", config, index)
    with pytest.raises(ConfigError, match=r"needs mae, which a build with split\.test_share = 0"):
        read_condition("mae < 1", config, index)


def test_a_first_build_is_published_with_a_line_that_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert write_build(tmp_path / "index", "ndcg@10 >= 0.97 * live and mae < 0.1") is None
    assert live_build(tmp_path / "index")
    assert "was live, so the new build is published without the test of --publish-if" in caplog.text
    assert "mae is 0.8000, not under 0.1" in caplog.text


@pytest.mark.slow
def test_the_figures_of_a_build_are_those_that_conditions_name(sample_index: Path) -> None:
    from engine.artifact.reader import Artifact

    manifest = Artifact.open(sample_index).manifest
    assert set(manifest["metrics"]["ncf"]) == set(QUALITY)
    assert set(manifest["counts"]) == set(COUNTS)


@pytest.mark.slow
def test_the_command_ends_with_three_and_keeps_the_old_index_live(tmp_path: Path) -> None:
    index = write_index(tmp_path / "index")
    live = live_build(index)
    rows = [
        f"R{one},M{(one * 7 + place * (1 + one % 3)) % 30},{1 + (one + place) % 5},{place}"
        for one in range(60)
        for place in range(6)
    ]
    (tmp_path / "reviews.csv").write_text("user_id,item_id,rating,timestamp\n" + "\n".join(rows))

    def build(condition: str, *more: str) -> Any:
        command = ["build-index", str(tmp_path / "reviews.csv"), "--output", str(index), *QUICK, *more]
        return CliRunner().invoke(main, [*command, "--publish-if", condition])

    wrong = build("accuracy > 1")
    assert (wrong.exit_code, "No figure 'accuracy'" in wrong.stderr) == (1, True)
    refused = build("reviews >= 1000 * live", "--report", str(tmp_path / "report.html"))
    assert refused.exit_code == 3
    assert "Error: The new build is not published, since reviews is" in refused.stderr.splitlines()[-1]
    assert (tmp_path / "report.html").exists()
    assert (live_build(index), len(list(index.glob("build-*")))) == (live, 2)
    assert {path.name for path in index.iterdir() if not path.name.startswith("build-")} == {
        *("CURRENT", ".lock", ".live-lock")
    }
    shown = CliRunner().invoke(main, ["info", "--index", str(index)])
    assert "refused" in shown.stdout
    refused_build = kept_builds(index)[-1].name
    gone = CliRunner().invoke(main, ["rollback", "--index", str(index), "--to", refused_build])
    assert gone.exit_code == 0
    assert gone.stdout.startswith(f"{refused_build}, made at 20")
    back = CliRunner().invoke(main, ["rollback", "--index", str(index), "--json"])
    assert f'"live": "{live}"' in back.stdout
