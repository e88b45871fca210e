"""The report of a build: it is in the artifact, says what the manifest says, and runs nothing."""

import csv
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner

from engine import Engine
from engine.artifact.reader import Artifact
from engine.cli.main import main
from engine.config.sections import load_config
from engine.errors import ConfigError
from engine.relations.movie_map import MovieMap, main_categories
from pipelines import BuildResult, build_index
from pipelines.export.examples import Example
from pipelines.export.report import _map, report_page
from pipelines.measuring.metrics import calibration_bins, calibration_error

QUICK = load_config(
    assignments=(
        *("relevance.max_rounds=1", "rating.max_rounds=1", "relevance.embedding_dim=8", "rating.dim=4"),
        *("split.max_holdouts=1", "relevance.num_members=1"),
    )
)
LOADS = re.compile(r"https?:|//|\bsrc\s*=|<link|<script|@import|url\((?!#)", re.IGNORECASE)
# Tags are taken out of titles when they are read, but what is written like this is a tag only then.
EVIL = "&lt;script&gt;alert(1)&lt;/script&gt; &amp; $x^2$"


class Built(NamedTuple):
    result: BuildResult
    copy: Path
    page: str


def build(folder: Path, *, rated: bool) -> Built:
    generator = np.random.default_rng(1)
    rows: list[list[Any]] = [
        [f"R{reviewer:02d}", f"M{movie:02d}", *([float(generator.integers(1, 6))] if rated else [])]
        for reviewer in range(24)
        for movie in generator.permutation(20)[: 4 + reviewer % 5]
    ]
    with (folder / "reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["reviewer_id", "movie_id", "rating"][: len(rows[0])], *rows])
    lines = [
        {"asin": f"M{movie:02d}", "title": f"{EVIL} {movie}", "category": ["Movies & TV", f"<b>{movie % 3}"]}
        for movie in range(20)
    ]
    metadata = folder / "movies.json"
    metadata.write_text("".join(json.dumps(line) + "\n" for line in lines))
    copy = folder / "report.html"
    result = build_index(
        [folder / "reviews.csv"], output=folder / "index", metadata=[metadata], config=QUICK, report=copy
    )
    page = Artifact.open(folder / "index").file("report.html").read_text(encoding="utf-8")
    return Built(result, copy, page)


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("rated"), rated=True)


@pytest.mark.slow
def test_the_report_lies_in_the_index_and_where_it_was_asked_for(rated: Built) -> None:
    assert rated.copy.read_text(encoding="utf-8") == rated.page
    assert "report.html" in rated.result.manifest["files"]


@pytest.mark.slow
def test_the_report_loads_nothing_and_titles_are_inert(rated: Built) -> None:
    assert LOADS.findall(rated.page.replace("<!DOCTYPE html>", "")) == []
    assert "<b>" not in rated.page
    assert EVIL in rated.page
    identifiers = re.findall(r' id="([^"]+)"', rated.page)
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.slow
def test_the_report_shows_the_figures_of_the_manifest_and_the_engines_own_lists(rated: Built) -> None:
    manifest = rated.result.manifest
    for model, figures in manifest["metrics"].items():
        assert f">{model}</th>" in rated.page
        for value in figures.values():
            assert f"{value:,.4f}" in rated.page or float(value).is_integer()
    assert rated.page.count("<svg") == 6  # calibration, loss and validation of two heads, map
    assert set(manifest["metrics"]) == {"ncf", "popularity", "constant", "item-knn", "ease", "biases"}
    assert manifest["baselines"] == {"left_out": None}
    engine = Engine.load(rated.result.directory)
    shown = re.findall(r"<h3>Reviewer (R\d\d),", rated.page)
    assert len(shown) == 3
    for reviewer_id, part in zip(shown, rated.page.split("<h3>Reviewer ")[1:], strict=True):
        listed = re.findall(r"<td>(M\d\d)</td>", part.split("Recommended:")[1].split("</section>")[0])
        assert listed == [item.movie_id for item in engine.recommend(reviewer_id, 5)]


@pytest.mark.slow
def test_the_calibration_in_the_manifest_adds_up_to_the_calibration_error(rated: Built) -> None:
    bins = rated.result.manifest["calibration"]
    total = sum(row["count"] for row in bins)
    error = sum(row["count"] / total * abs(row["mean_predicted"] - row["share_liked"]) for row in bins)
    assert error == pytest.approx(rated.result.manifest["metrics"]["ncf"]["calibration_error"], abs=1e-6)


@pytest.mark.slow
def test_a_build_without_ratings_has_a_report_too(tmp_path: Path) -> None:
    built = build(tmp_path, rated=False)
    assert built.result.manifest["calibration"] == []
    assert "There are no ratings to compare with" in built.page
    assert "stars" not in built.page


def test_a_bad_report_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    for report in (tmp_path / "report.pdf", tmp_path / "absent" / "report.html"):
        with pytest.raises(ConfigError):
            build_index([tmp_path / "reviews.csv"], output=tmp_path / "index", report=report)
    result = CliRunner().invoke(main, ["build-index", "x.csv", "--report", str(tmp_path / "report.txt")])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "does not end with .html" in result.stderr
    assert list(tmp_path.iterdir()) == []


def some_map(
    categories: list[str], titles: list[str | None], years: list[int | None], counts: list[int]
) -> MovieMap:
    number = len(categories)
    points = np.arange(2 * number, dtype=np.float32).reshape(number, 2)
    return MovieMap(points, categories, 0.5, np.arange(number), titles, years, np.array(counts))


MAPS = {
    "category": (["Drama", "War", "Drama"], ["Drama: 2 movies, such as C", "War: 1 movie, such as B"]),
    "decade": (["no category"] * 3, ["1940s: 2 movies, such as B", "1950s: 1 movie, such as C"]),
}


@pytest.mark.parametrize("what", MAPS)
def test_the_map_names_movies_on_hover_and_groups_in_its_legend(what: str) -> None:
    categories, legend = MAPS[what]
    [figure] = _map(some_map(categories, ["A", "B", "C"], [1944, 1949, 1951], [3, 7, 20]))
    assert re.findall("<title>(.)</title>", figure) == ["A", "B", "C"]
    assert re.findall(r"[^<>]*: \d movies?, such as .", figure) == legend
    assert f"A colour is a {what}." in figure


def test_a_map_without_categories_and_years_tells_apart_by_reviews() -> None:
    [figure] = _map(some_map(["no category"] * 3, ["A", None, "C"], [None] * 3, [3, 7, 20]))
    assert "1 to 9 reviews: 2 movies, such as A" in figure
    assert "10 to 99 reviews: 1 movie, such as C" in figure
    assert "<title>a movie without a title (7 reviews)</title>" in figure
    [figure] = _map(some_map(["no category"] * 3, ["A", "B", "C"], [None] * 3, [2000, 7, 20]))
    named = [figure.index(name) for name in ("1 to 9 reviews", "10 to 99 reviews", "1,000 to 9,999 reviews")]
    assert named == sorted(named)


def test_a_report_of_little_says_what_is_missing() -> None:
    manifest: dict[str, Any] = {
        "accounting": dict.fromkeys(("read", "kept", "duplicate", "filtered", "rejected"), 0)
        | {"filtered_by": {}, "rejected_by": {}, "files": [], "truncated": ["cut <short>.gz"]},
        "counts": {"reviews": 0},
        "metrics": {},
        "calibration": [],
        "search": {},
        "audit": {"recall": None},
        "training": {"curves": {"relevance": {"loss": [1.0, None], "validation": []}}},
        "model": {"blend": {}},
    }
    example = Example("<i>", 1, [{"movie_id": "M", "title": None, "rating": None}], [])
    page = report_page("<s>", manifest, [example], some_map(["<u>"], ["<em>"], [None], [1]))
    assert "quality was not measured" in page
    assert "<title>What was built: &lt;s&gt;</title>" in page
    assert "<em>" not in page
    assert "cut &lt;short&gt;.gz" in page
    assert "<i>" not in page
    assert "<u>" not in page


def test_calibration_bins_agree_with_plain_python() -> None:
    generator = np.random.default_rng(3)
    chances = generator.random(500)
    liked = generator.random(500) < chances
    found = calibration_bins(chances, liked, bins=4)
    assert [row["count"] for row in found] == [
        sum(number / 4 <= chance < (number + 1) / 4 for chance in chances) for number in range(4)
    ]
    error = sum(row["count"] * abs(row["mean_predicted"] - row["share_liked"]) for row in found) / 500
    assert error == pytest.approx(calibration_error(chances, liked, bins=4))
    assert calibration_bins([], []) == []


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        (["Comedy | Drama", "Drama"], ["Comedy", "Drama"]),
        (["Movies | Comedy", "Movies | Drama", "Movies"], ["Comedy", "Drama", "Movies"]),
        (["Movies", "Movies", None], ["Movies", "Movies", "no category"]),
        ([None, None], ["no category", "no category"]),
    ],
)
def test_the_main_category_is_the_first_that_tells_movies_apart(
    categories: list[str | None], expected: list[str]
) -> None:
    assert main_categories(categories) == expected


def test_rare_categories_are_taken_together() -> None:
    categories = [f"C{number}" for number in range(9)] * 2 + [f"D{number}" for number in range(5)]
    assert main_categories(categories).count("other") == 5


def test_a_level_at_which_nearly_all_movies_agree_does_not_tell_movies_apart() -> None:
    genres = [f"Films | Featured | {genre}" for genre in ("Drama", "Comedy", "War") * 5]
    assert set(main_categories([*genres, "Films | Music"])) == {"Drama", "Comedy", "War", "Music"}
    assert main_categories([]) == []
