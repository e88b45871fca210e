import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from engine.cli.main import main
from engine.config.sections import Config, load_config
from engine.errors import ConfigError, DataError
from pipelines import evaluate
from pipelines.baselines import seed
from pipelines.evaluation.data import read_pairs
from pipelines.evaluation.page import evaluation_page

QUICK = ("popularity", "item-knn", "ease", "biases", "constants")
TEXT = "Watched it twice and will watch it again"

Row = tuple[str, str, float, int]


def write_ratings(path: Path, rows: list[Row]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(["reviewer", "movie", "rating", "time"])
        writer.writerows(rows)
    return path


def write_reviews(path: Path, rows: list[tuple[str, str, float, int, str]]) -> Path:
    names = ("reviewerID", "asin", "overall", "unixReviewTime", "reviewText")
    path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
    return path


def some_rows(num_reviewers: int = 40, num_movies: int = 20, seed: int = 0) -> list[Row]:
    generator = np.random.default_rng(seed)
    return [
        (
            f"R{reviewer:02}",
            f"M{movie:02}",
            float(generator.integers(1, 6)),
            10_000 + int(generator.integers(9_000)),
        )
        for reviewer in range(num_reviewers)
        for movie in generator.permutation(num_movies)[: generator.integers(4, 12)]
    ]


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    return write_ratings(tmp_path / "ratings.csv", some_rows())


@pytest.mark.parametrize("protocol", ["temporal", "leave-last-out", "last-share", "random", "folds"])
def test_every_protocol_measures_every_model(ratings: Path, protocol: str) -> None:
    found = evaluate([ratings], protocol=protocol, models=QUICK).to_dict()
    json.dumps(found, allow_nan=False)
    assert found["protocol"] == protocol
    assert set(found["mean"]) == set(QUICK)
    num_folds = 5 if protocol == "folds" else 1
    assert len(found["folds"]) == num_folds * len(QUICK)
    assert {row["model"] for row in found["folds"]} == set(QUICK)
    for model in ("popularity", "item-knn", "ease"):
        assert {"ndcg@10", "recall@10", "recall@20", "coverage@10"} <= set(found["mean"][model])
        assert "mae" not in found["mean"][model]
    assert {"mae", "rmse", "log_loss", "calibration_error"} <= set(found["mean"]["constants"])
    assert "ndcg@10" not in found["mean"]["constants"]


def test_means_are_the_means_of_the_folds_and_lie_inside_their_intervals(ratings: Path) -> None:
    found = evaluate([ratings], protocol="folds", models=("biases",)).to_dict()
    for name in ("mae", "rmse", "ndcg@10"):
        values = [fold[name] for fold in found["folds"]]
        assert found["mean"]["biases"][name] == pytest.approx(np.mean(values))
        low, high = found["intervals"]["biases"][name]
        assert low < np.mean(values) < high


def test_groups_of_reviewers_are_told_apart(tmp_path: Path) -> None:
    many = [("heavy", f"M{movie:02}", 1.0 + movie % 5, 10_000 + movie) for movie in range(70)]
    path = write_ratings(tmp_path / "ratings.csv", [*some_rows(), *many])
    found = evaluate([path], protocol="last-share", models=("biases",), config=plain_config()).to_dict()
    assert set(found["by_reviews"]["biases"]) == {"2-3", "4-10", ">50"}


def plain_config() -> Config:
    keep_all = ("ingest.min_reviews_per_movie=1", "ingest.min_reviews_per_reviewer=1")
    return load_config(assignments=keep_all)


def test_a_planted_copy_of_a_review_is_caught(tmp_path: Path) -> None:
    rows = [
        (f"R{reviewer}", f"M{movie}", 1.0 + (reviewer + movie) % 5, 10_000 + 100 * reviewer + movie, "")
        for reviewer in range(12)
        for movie in range(6)
    ]
    # The last review of all but one is there a second time under another movie, as of a disc and its reissue.
    copies = [
        (f"R{reviewer}", movie, 5.0, 20_000, f"{TEXT} {reviewer}")
        for reviewer in range(11)
        for movie in ("M6", "M7")
    ]
    clean = write_reviews(tmp_path / "clean.json", rows)
    planted = write_reviews(tmp_path / "planted.json", rows + copies)
    assert evaluate([clean], protocol="leave-last-out", models=("biases",)).leaks_prevented == 0
    evaluation = evaluate([planted], protocol="leave-last-out", models=("biases",))
    assert evaluation.leaks_prevented == 11


def test_a_planted_variant_of_a_film_is_caught_by_its_title(tmp_path: Path) -> None:
    rows = some_rows()
    titles = tmp_path / "meta.json"
    movies = sorted({row[1] for row in rows})
    titles.write_text(
        "".join(
            json.dumps({"asin": movie, "title": f"Film {place // 2}" + " [VHS]" * (place % 2)}) + "\n"
            for place, movie in enumerate(movies)
        )
    )
    path = write_ratings(tmp_path / "ratings.csv", rows)
    assert evaluate([path], protocol="random", models=("biases",)).leaks_prevented == 0
    assert evaluate([path], metadata=[titles], protocol="random", models=("biases",)).leaks_prevented > 10


def test_given_pairs_keep_every_review_and_share_their_ids(tmp_path: Path) -> None:
    rows = some_rows()
    train = write_ratings(tmp_path / "train.csv", rows[:200])
    test = write_ratings(
        tmp_path / "test.csv", [*rows[200:], ("A new one", "M00", 3.0, 1), ("R00", "A new one", 3.0, 1)]
    )
    (fold,) = read_pairs([(train, test)], (), load_config()).folds
    assert len(fold.train) == 200
    assert len(fold.test) == len(rows) - 200 + 2
    assert fold.train.num_reviewers == fold.test.num_reviewers == 41
    assert fold.train.num_movies == fold.test.num_movies == 21
    found = evaluate(pairs=[(train, test)], models=QUICK).to_dict()
    assert found["protocol"] == "given"
    assert [file["kept"] for file in found["rows"]] == [200, len(rows) - 200 + 2]
    assert found["splits"][0]["of_unknown_movies"] == 1
    assert found["splits"][0]["of_unknown_reviewers"] > 0


def test_a_pair_that_is_in_both_given_files_is_no_test(tmp_path: Path) -> None:
    rows = some_rows()
    train = write_ratings(tmp_path / "train.csv", rows[:200])
    test = write_ratings(tmp_path / "test.csv", rows[190:])
    (fold,) = read_pairs([(train, test)], (), load_config()).folds
    assert (len(fold.train), len(fold.test), fold.num_leaks) == (200, len(rows) - 200, 10)


def test_data_without_ratings_is_ranked_alone(tmp_path: Path) -> None:
    path = tmp_path / "views.csv"
    path.write_text("reviewer,movie,time\n" + "".join(f"{row[0]},{row[1]},{row[3]}\n" for row in some_rows()))
    found = evaluate([path], protocol="last-share", models=QUICK).to_dict()
    assert set(found["mean"]) == {"popularity", "item-knn", "ease"}
    assert found["mean"]["ease"]["ndcg@10"] > 0
    with pytest.raises(DataError, match="no ratings, which biases, constants need; name models that rank"):
        evaluate([path], protocol="last-share", models=("biases", "constants"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": ("nfc",)}, "no model 'nfc'; expected some of ncf"),
        ({"models": ()}, "No model is named"),
        ({"protocol": "sideways"}, "no protocol 'sideways'; expected one of temporal, "),
        ({"pairs": [("a", "b")]}, "one of the two"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_at_once(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        evaluate([Path("does-not-exist.csv")], **options)  # type: ignore[arg-type]


def test_the_command_prints_json_and_tables(ratings: Path) -> None:
    command = ["evaluate", str(ratings), "--protocol", "random", "--models", "popularity,biases"]
    as_json = CliRunner().invoke(main, [*command, "--json"])
    assert as_json.exit_code == 0, as_json.output
    assert set(json.loads(as_json.stdout)["mean"]) == {"popularity", "biases"}
    shown = CliRunner().invoke(main, command)
    assert shown.exit_code == 0
    assert "leaks prevented" in shown.stdout
    assert "p-values of the difference to popularity" in shown.stdout


def test_the_command_says_that_no_held_out_review_is_a_like(tmp_path: Path) -> None:
    rows = [(f"R{n % 9}", f"M{n % 7}", float(1 + n % 4), n) for n in range(60)]
    path = write_ratings(tmp_path / "ratings.csv", rows)
    command = ["evaluate", str(path), "--models", "popularity", "--set", "rating.like_rating=5"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert "no held-out review is rated 5 or more, so no list was measured" in result.stdout


def test_the_command_takes_pairs_of_files(tmp_path: Path) -> None:
    rows = some_rows()
    names = [
        str(write_ratings(tmp_path / f"{name}.csv", part))
        for name, part in (("a", rows[:200]), ("b", rows[200:]))
    ]
    command = ["evaluate", "--train", names[0], "--test", names[1], "--train", names[1], "--test", names[0]]
    result = CliRunner().invoke(main, [*command, "--models", "biases", "--json"])
    assert result.exit_code == 0, result.output
    assert [fold["fold"] for fold in json.loads(result.stdout)["folds"]] == [1, 2]


@pytest.mark.parametrize(
    "command",
    [["evaluate"], ["evaluate", "x.csv", "--train", "a", "--test", "b"], ["evaluate", "--train", "a"]],
)
def test_the_command_refuses_half_a_question_as_wrong_usage(command: list[str]) -> None:
    assert CliRunner().invoke(main, command).exit_code == 2


@pytest.mark.slow
def test_the_engines_own_model_is_measured_beside_the_others(ratings: Path) -> None:
    rounds = ("relevance.max_rounds=2", "rating.max_rounds=2")
    quick = (*rounds, "split.max_holdouts=1", "relevance.num_members=1")
    found = evaluate(
        [ratings], protocol="last-share", models=("ncf", "popularity"), config=load_config(assignments=quick)
    ).to_dict()
    assert {"mae", "rmse", "ndcg@10", "calibration_error"} <= set(found["mean"]["ncf"])
    assert set(found["tests"]["p_values"]["popularity"]) == {"ndcg@10", "recall@10", "recall@20"}


@pytest.mark.real
def test_published_figures_of_popularity_and_ease_are_met(real_data: Path) -> None:
    found = evaluate(
        [real_data / "movielens-100k" / "u.data"],
        protocol="last-share",
        models=("popularity", "ease"),
        config=plain_config(),
    ).mean
    # A few films are there twice, so a few held-out reviews move to training.
    assert found["popularity"]["ndcg@10"] == pytest.approx(0.098, abs=0.002)
    assert found["popularity"]["recall@10"] == pytest.approx(0.105, abs=0.002)
    assert found["ease"]["ndcg@10"] == pytest.approx(0.193, abs=0.002)
    assert found["ease"]["recall@10"] == pytest.approx(0.205, abs=0.002)


@pytest.mark.real
def test_published_figures_of_biases_are_met(real_data: Path) -> None:
    folder = real_data / "movielens-100k"
    pairs = [(folder / f"u{fold}.base", folder / f"u{fold}.test") for fold in range(1, 6)]
    found = evaluate(pairs=pairs, models=("biases",), max_reviewers=10).mean["biases"]
    assert found["mae"] == pytest.approx(0.7499, abs=0.0005)
    assert found["rmse"] == pytest.approx(0.9457, abs=0.0005)


def test_the_page_shows_every_figure_and_loads_nothing(tmp_path: Path) -> None:
    path = write_ratings(tmp_path / "<b>ratings.csv", some_rows())
    page_file = tmp_path / "report.html"
    found = evaluate([path], protocol="folds", models=QUICK, output=page_file).to_dict()
    page = page_file.read_text(encoding="utf-8")
    assert re.search(r"https?:|\bsrc\s*=|<link|<script|@import|<b>", page) is None
    for figures in found["mean"].values():
        for value in figures.values():
            assert f"{value:,.4f}" in page or value == int(value)
    for model in QUICK:
        assert f"<th>{model}</th>" in page or f'<th class="number">{model}</th>' in page
    assert "P-values of the difference to popularity" in page
    assert f"Leaks prevented: {found['leaks_prevented']}" in page
    assert page.count("<svg") == 4  # NDCG and MAE, of all and by the number of reviews
    identifiers = re.findall(r' id="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))


def test_the_page_draws_training_curves_of_all_folds_and_json_has_none(ratings: Path) -> None:
    measured = evaluate([ratings], protocol="random", models=("biases",))
    assert not measured.curves
    assert "The baseline" not in evaluation_page(measured)
    curves = {"loss": [2.0, 1.5, 1.0], "validation": [2.0, 1.8, 1.7]}
    page = evaluation_page(replace(measured, curves={"base": [curves], "final": [curves, curves]}))
    assert page.count("<svg") == 2 + evaluation_page(measured).count("<svg")
    assert page.count("There is a line for each fold.") == 1
    for text in ("The baseline base", "The baseline final", "squared error", "validation"):
        assert text in page
    assert "curves" not in measured.to_dict()


@pytest.mark.slow
def test_the_page_shows_how_the_models_base_and_final_were_trained(
    ratings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_file = tmp_path / "report.html"
    monkeypatch.setattr(seed, "_MAX_EPOCHS", 3)
    found = evaluate([ratings], protocol="random", models=("base", "final", "biases"), output=page_file)
    assert set(found.curves) == {"base", "final"}
    for [curves] in found.curves.values():
        assert len(curves["loss"]) == len(curves["validation"]) > 0
    page = page_file.read_text(encoding="utf-8")
    assert "The baseline base" in page
    assert "The baseline final" in page


def test_a_page_of_little_says_what_there_is(tmp_path: Path) -> None:
    rows = [(f"R{n % 3}", f"M{n}", float(1 + n % 2), n) for n in range(9)]
    path = write_ratings(tmp_path / "ratings.csv", rows)
    page_file = tmp_path / "report.html"
    evaluate([path], protocol="random", models=("constants",), config=plain_config(), output=page_file)
    assert "constants" in page_file.read_text(encoding="utf-8")


def test_a_bad_page_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    for name in ("report.pdf", "absent/report.html"):
        command = ["evaluate", str(tmp_path / "none.csv"), "--output", str(tmp_path / name)]
        result = CliRunner().invoke(main, command)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "report" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_metadata_says_of_movies_is_the_same_in_all_given_files(tmp_path: Path) -> None:
    train = write_ratings(tmp_path / "train.csv", [("A", "M1", 5, 1), ("A", "M3", 5, 2), ("B", "M1", 4, 3)])
    test = write_ratings(tmp_path / "test.csv", [("B", "M2", 5, 4), ("B", "M4", 5, 5), ("A", "M2", 5, 6)])
    titles = tmp_path / "movies.csv"
    titles.write_text("movie_id,title\nM1,Red River\nM2,Red Sky\nM4,\n")
    config = load_config()
    given = read_pairs([(train, test)], [titles], config)
    assert given.words.shape[0] == 4
    np.testing.assert_array_equal(np.diff(given.words.indptr) > 0, [True, True, False, False])
    shared = given.words[[0]].multiply(given.words[[1]]).sum()
    assert shared > 0
    assert not np.diff(read_pairs([(train, test)], (), config).words.indptr).any()
