"""A comparison of two indexes says what plain Python would count, as text, as JSON and as a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from made_index import NUM_MOVIES, reviewer_id, write_index

from engine import ArtifactError, Engine
from engine.artifact.builds import live_build
from engine.artifact.ids import IdTable, build_id_arrays
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.cli.main import main
from pipelines.comparing import lists as lists_module
from pipelines.comparing.compare import compare
from pipelines.comparing.lists import pairs_of_rows
from pipelines.export.versions import take_over_files, take_over_sections


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives an index of two builds; the older one has fewer reviewers, other vectors and other settings."""
    index = write_index(tmp_path_factory.mktemp("compare") / "index", num_reviewers=80, seed=1)
    return write_index(index, num_reviewers=90, seed=2)


def changed(index: Path, **sections: Any) -> Path:
    """Writes a new build that differs from the live build in some sections of the manifest."""
    artifact = Artifact.open(index)
    with ArtifactWriter(index, keep=9) as writer:
        take_over_files(artifact, writer)
        take_over_sections(artifact, writer)
        for name, section in sections.items():
            writer.add_section(name, section)
    return writer.build_directory


@given(st.sets(st.text(max_size=2)), st.sets(st.text(max_size=2)))
def test_ids_in_common_are_those_of_both_sets(one: set[str], other: set[str]) -> None:
    plain = [
        sorted((text.encode(errors="replace").decode() for text in ids), key=str.encode)
        for ids in (one, other)
    ]
    tables = [IdTable(*build_id_arrays(ids)) for ids in plain]
    found = pairs_of_rows(*tables)
    assert tables[0].ids(found.old) == tables[1].ids(found.new)
    assert set(tables[0].ids(found.old)) == set(plain[0]) & set(plain[1])


def test_the_overlap_of_lists_is_what_plain_python_counts(two: Path) -> None:
    found = compare(two)
    old = Engine.load(two / found["old"]["build"])
    new = Engine.load(two)
    shares, same, listed = [], 0, {"old": set[str](), "new": set[str]()}
    for row in range(80):
        one, other = ([m.movie_id for m in engine.recommend(reviewer_id(row), 10)] for engine in (old, new))
        shares.append(len(set(one) & set(other)) / max(len(one), len(other)) if one or other else 1.0)
        same += one == other
        listed["old"] |= set(one)
        listed["new"] |= set(other)
    lists = found["lists"]
    assert (lists["reviewers"], lists["k"]) == (80, 10)
    assert lists["mean_overlap"] == pytest.approx(np.mean(shares))
    assert lists["median_overlap"] == pytest.approx(np.median(shares))
    assert lists["unchanged"] == pytest.approx(same / 80)
    assert lists["nothing_shared"] == pytest.approx(np.mean(np.equal(shares, 0)))
    assert lists["movies_listed"] == {name: len(movies) for name, movies in listed.items()}
    assert found["reviewers"] == {"both": 80, "added": 10, "removed": 0}
    assert found["movies"] == {"both": NUM_MOVIES, "added": 0, "removed": 0}
    assert found["counts"]["reviewers"] == {"old": 80, "new": 90, "change": 10, "share": 0.125}


def test_movies_that_rise_have_a_better_rank_and_a_larger_share(two: Path) -> None:
    found = compare(two)["popularity"]
    assert len(found["risen"]) == len(found["fallen"]) == 10
    for movie in found["risen"]:
        assert movie["new_rank"] < movie["old_rank"]
        assert movie["new_share"] > movie["old_share"]
    gains = [movie["new_share"] - movie["old_share"] for movie in found["risen"]]
    assert gains == sorted(gains, reverse=True)
    assert all(movie["new_rank"] > movie["old_rank"] for movie in found["fallen"])


def test_an_index_does_not_differ_from_itself(two: Path) -> None:
    found = compare(two, two)
    assert found["lists"]["unchanged"] == found["lists"]["mean_overlap"] == 1
    assert found["listings"] == {"more": [], "fewer": []}
    assert found["popularity"] == {"risen": [], "fallen": []}
    assert found["settings"] == []


def test_only_a_sample_of_reviewers_is_asked(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists_module, "_REVIEWERS", 7)
    found = compare(two)
    assert found["lists"]["reviewers"] == 7
    assert compare(two) == found


def test_settings_and_figures_stand_side_by_side(tmp_path: Path) -> None:
    index = write_index(tmp_path / "index", num_reviewers=20)
    config = Artifact.open(index).manifest["config"]
    config["index"]["kind"] = "flat"
    metrics = {"ncf": {"ndcg@10": 0.25, "mae": 0.5}, "popularity": {"ndcg@10": 0.1}}
    original = Artifact.open(index).manifest["config"]
    changed(index, metrics={"ncf": {"ndcg@10": 0.2}}, config=config)
    changed(index, metrics=metrics, config=original)
    found = compare(index)
    assert found["quality"]["ndcg@10"] == {
        "old": 0.2,
        "new": 0.25,
        "change": pytest.approx(0.05),
        "share": pytest.approx(0.25),
    }
    assert found["quality"]["mae"] == {"old": None, "new": 0.5, "change": None, "share": None}
    assert found["quality"]["search_recall"]["old"] == 1
    assert found["settings"] == [{"setting": "index.kind", "old": "flat", "new": "auto"}]
    compared = {found["old"]["build"], found["new"]["build"]}
    [oldest] = [build for build in index.glob("build-*") if build.name not in compared]
    assert compare(oldest, index)["settings"] == []
    assert compare(oldest, index / found["old"]["build"])["settings"] == [
        {"setting": "index.kind", "old": "auto", "new": "flat"}
    ]


def test_indexes_of_other_reviewers_and_movies_have_nothing_in_common(two: Path, sample_index: Path) -> None:
    found = compare(two, sample_index)
    assert (found["reviewers"]["both"], found["movies"]["both"]) == (0, 0)
    assert found["lists"] == {"reviewers": 0, "k": 10}
    assert found["popularity"]["risen"][0]["old_rank"] is None
    result = CliRunner().invoke(main, ["compare", str(two), str(sample_index)])
    assert "The indexes have no reviewer in common." in result.stdout


def test_the_command_prints_text_of_eighty_columns_json_and_a_page(two: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = CliRunner().invoke(main, ["compare", str(two), "--output", str(page)], env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "Lists of 10 movies, of 80 reviewers of both indexes:" in result.stdout
    assert "<h2>Lists of the same reviewers</h2>" in page.read_text()
    printed = CliRunner().invoke(main, ["compare", str(two), "--json"])
    assert json.loads(printed.stdout) == compare(two)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["absent"], "There is no index at absent"),
        (["{one}"], "keeps no build before the live one to compare with"),
        (["{one}", "absent"], "There is no index at absent"),
        (["{one}", "{one}/build-20200101T000000-aaaaaa"], "There is no index at"),
        (["{one}", "{one}", "--output", "page.txt"], "does not end with .html"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(tmp_path: Path, words: list[str], said: str) -> None:
    one = write_index(tmp_path / "one", num_reviewers=10)
    result = CliRunner().invoke(main, ["compare", *(word.format(one=one) for word in words)])
    assert result.exit_code == 1
    assert said in result.stderr
    assert len([line for line in result.stderr.splitlines() if line]) == 1


def test_a_title_in_the_page_is_text(two: Path, tmp_path: Path) -> None:
    from pipelines.comparing.page import comparison_page

    found = compare(two)
    found["popularity"]["risen"][0]["title"] = "<script>alert(1)</script>"
    assert "<script>alert" not in comparison_page(found)


def test_one_index_is_compared_with_the_build_before(two: Path) -> None:
    found = compare(two)
    assert found["new"]["build"] == live_build(two)
    assert found["old"]["build"] != found["new"]["build"]
    with pytest.raises(ArtifactError, match="There is no index"):
        compare(two / "absent")
