import json
import re
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine.cli.main import main
from engine.config.sections import load_config
from engine.errors import ConfigError, DataError
from pipelines.exploring.explore import explore
from pipelines.exploring.findings import find
from pipelines.work.output import write_text

EVERYTHING = load_config(
    assignments=("ingest.min_reviews_per_reviewer=1", "ingest.min_reviews_per_movie=1", "ingest.threads=1")
)
YEAR = 31_557_600
ROWS = [
    ("R1", "M1", 5.0, 0),
    ("R1", "M2", 5.0, 1),
    ("R2", "M1", 5.0, 1),
    ("R2", "M3", 4.0, 1),
    ("R3", "M1", 1.0, 2),
    ("R3", "M2", 5.0, 2),
    ("R3", "M4", 2.0, 2),
]
LOADS = re.compile(r"https?:|//|\bsrc\s*=|<link|<script|@import|url\((?!#)", re.IGNORECASE)


def write_table(path: Path, rows: list[tuple[Any, ...]], heading: str) -> Path:
    path.write_text("\n".join([heading, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    rows = [(*row[:3], 1_500_000_000 + row[3] * YEAR) for row in ROWS]
    return write_table(tmp_path / "reviews.csv", rows, "reviewer_id,movie_id,rating,time")


@pytest.fixture
def metadata(tmp_path: Path) -> Path:
    titles = {
        "M1": "Laura &lt;script&gt;alert(1)&lt;/script&gt; $x^2$",
        "M2": "Up (DVD)",
        "M3": "Up [Blu-ray]",
    }
    path = tmp_path / "metadata.json"
    path.write_text(
        "".join(json.dumps({"asin": movie, "title": title}) + "\n" for movie, title in titles.items())
    )
    return path


def test_figures_agree_with_plain_python(reviews: Path) -> None:
    figures = explore([reviews], config=EVERYTHING)
    ratings = [row[2] for row in ROWS]
    described = figures["statistics"]["ratings"]
    assert described["count"] == len(ratings)
    assert described["mean"] == pytest.approx(statistics.mean(ratings))
    assert described["sd"] == pytest.approx(statistics.stdev(ratings))
    quartiles = statistics.quantiles(ratings, n=4, method="inclusive")
    assert [described[name] for name in ("min", "q1", "median", "q3", "max")] == [1.0, *quartiles, 5.0]
    for name, place in (("reviews_per_reviewer", 0), ("reviews_per_movie", 1)):
        loads = list(Counter(row[place] for row in ROWS).values())
        assert figures["statistics"][name]["mean"] == pytest.approx(statistics.mean(loads))
        assert figures["statistics"][name]["median"] == statistics.median(loads)
    counts = figures["counts"]
    assert (counts["reviews"], counts["reviewers"], counts["movies"]) == (7, 3, 4)
    assert counts["sparsity"] == pytest.approx(1 - 7 / 12)
    assert {row["rating"]: row["reviews"] for row in figures["ratings"]} == Counter(ratings)
    assert figures["per_year"] == [
        {"year": year, "reviews": number} for year, number in ((2017, 1), (2018, 3), (2019, 3))
    ]
    assert [(row["reviewer_id"], row["reviews"]) for row in figures["top_reviewers"]] == [
        ("R3", 3),
        ("R1", 2),
        ("R2", 2),
    ]
    assert [row["movie_id"] for row in figures["top_movies"]] == ["M1", "M2", "M3", "M4"]
    assert figures["top_movies"][0]["average_rating"] == pytest.approx(11 / 3)
    assert figures["accounting"]["kept"] == 7


def test_findings_say_whether_they_hold_and_why(reviews: Path) -> None:
    top, few_a_reviewer, few_a_movie, growth = explore([reviews], config=EVERYTHING)["findings"]
    assert (top["holds"], few_a_reviewer["holds"], few_a_movie["holds"], growth["holds"]) == (
        *(True, True, False),
        False,
    )
    assert top["figures"]["top_share"] == pytest.approx(4 / 7)
    assert top["figures"]["top_mae"] == pytest.approx((1 + 4 + 3) / 7)
    assert few_a_reviewer["figures"] == {"share_with_two_or_three": 1.0, "median": 2.0, "max": 3.0}
    assert (growth["figures"]["rises"], growth["figures"]["steps"]) == (1, 2)
    assert growth["figures"]["latest_year_share"] == pytest.approx(3 / 7)


def test_a_few_movies_with_hundreds_and_growing_years_are_seen() -> None:
    described = {
        "reviews_per_reviewer": {"count": 100, "median": 2.0, "max": 9.0},
        "reviews_per_movie": {"count": 100, "median": 4.0, "max": 300.0},
    }
    per_year = [{"year": 2000 + place, "reviews": reviews} for place, reviews in enumerate([1, 5, 9, 7])]
    shares = {"reviewers_with_two_or_three": 50, "movies_with_many": 2}
    found = find([], described, shares, per_year)
    assert [finding["holds"] for finding in found] == [None, False, True, True]


def test_variants_and_copies_are_counted(tmp_path: Path, metadata: Path) -> None:
    text = "A film that I have seen many times."
    rows = [
        ("R1", "M2", 5, 9, text),
        ("R1", "M3", 5, 9, text),
        ("R1", "M4", 4, 8, "no"),
        ("R2", "M2", 5, 9, text),
    ]
    heading = "reviewer_id,movie_id,rating,time,review_text"
    path = write_table(tmp_path / "texts.csv", rows, heading)
    copies = explore([path], metadata=[metadata], config=EVERYTHING)["copies"]
    assert copies == {
        "movies_with_title": 2,
        "films_with_variants": 1,
        "movies_that_are_variants": 2,
        "reviews_of_another_variant": 1,
        "reviews_with_text": 3,
        "reviews_with_repeated_text": 1,
    }


def test_the_page_loads_nothing_and_a_script_in_a_title_is_inert(
    reviews: Path, metadata: Path, tmp_path: Path
) -> None:
    output = tmp_path / "page.html"
    explore([reviews], metadata=[metadata], config=EVERYTHING, output=output)
    page = output.read_text(encoding="utf-8")
    assert LOADS.findall(page.replace("<!DOCTYPE html>", "")) == []
    assert page.count("<svg") == 4
    assert "Laura &lt;script&gt;alert(1)&lt;/script&gt; $x^2$" in page
    assert "prefers-color-scheme: dark" in page
    assert "currentColor" in page
    identifiers = re.findall(r' id="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    targets = set(re.findall(r'(?:href="#|url\(#)([^")]+)', page))
    assert targets <= set(identifiers)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_ids_of_any_kind_are_escaped(name: str, tmp_path: Path) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    path = write_table(
        tmp_path / "odd.csv",
        [(quoted, "M1", 5), (quoted, "M2", 4), ("R", "M2", 3)],
        "reviewer_id,movie_id,rating",
    )
    output = tmp_path / "page.html"
    figures = explore([path], config=EVERYTHING, output=output)
    assert figures["top_reviewers"][0]["reviewer_id"] == name
    page = output.read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<img" not in page


def test_views_without_ratings_and_times_are_described(tmp_path: Path) -> None:
    path = write_table(tmp_path / "views.csv", [row[:2] for row in ROWS], "reviewer_id,movie_id")
    figures = explore([path], config=EVERYTHING, output=tmp_path / "page.html")
    assert figures["statistics"]["ratings"] is None
    assert (figures["ratings"], figures["per_month"], figures["per_year"]) == ([], [], [])
    assert [found["holds"] for found in figures["findings"]] == [None, True, False, None]
    assert "The data has no times." in (tmp_path / "page.html").read_text()


def test_reviews_that_all_have_one_rating_can_be_looked_at(tmp_path: Path) -> None:
    rows = [(*row[:2], 5) for row in ROWS]
    path = write_table(tmp_path / "same.csv", rows, "reviewer_id,movie_id,rating")
    assert explore([path], config=EVERYTHING)["findings"][0]["figures"]["top_share"] == 1


@pytest.mark.parametrize("name", ["page.txt", "absent/page.html", "folder.html"])
def test_a_bad_output_is_refused_before_anything_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(ConfigError):
        explore([tmp_path / "never-read.csv"], output=tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.html"]


def test_a_page_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "page.html"
    output.write_text("old")

    def fail(self: Path, text: str, **options: Any) -> int:
        self.write_bytes(text[:10].encode())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(DataError, match=r"Cannot write .*page\.html: No space left"):
        write_text("a new page that is long", output)
    assert output.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_the_command_prints_findings_or_json_and_writes_the_page(reviews: Path, tmp_path: Path) -> None:
    keep_all = ["--min-reviews-per-reviewer", "1", "--min-reviews-per-movie", "1"]
    result = CliRunner().invoke(main, ["explore", str(reviews), *keep_all])
    assert result.exit_code == 0, result.output
    assert "7 rows read = 7 kept" in result.stdout
    assert "Most reviewers have two or three reviews: true" in result.stdout
    page = tmp_path / "page.html"
    result = CliRunner().invoke(main, ["explore", str(reviews), *keep_all, "--output", str(page), "--json"])
    assert json.loads(result.stdout)["counts"]["reviews"] == 7
    assert page.is_file()
    result = CliRunner().invoke(main, ["explore", str(reviews), "--output", str(tmp_path / "page.pdf")])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "does not end with .html" in result.stderr
