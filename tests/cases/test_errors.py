"""Sentences that name the cause: rejected rows, questions without an answer, and advice that leads on."""

from collections.abc import Callable

import pytest
from command_runs import QUICK, Engine, Prepare
from invented_files import NUM_ROWS, ROWS, amazon, json_lines, table, write

Case = Callable[[str], None]


def test_rejections_hidden_by_kcore(case: Case, engine: Engine) -> None:
    case("rejections_hidden_by_kcore")
    for name, reason in (
        ("array.json", "not a JSON object"),
        ("stars.csv", "rating is not a number"),
        ("latin1.csv", "not UTF-8 text"),
    ):
        said = engine("prepare", name, "--output", "o.parquet")
        if said.code == 0:
            assert "480 rows read = 480 kept" in said.stdout
        else:
            assert reason in said.sentence
            assert "k-core" not in said.sentence


def test_pass_evaluate_strangers(case: Case, engine: Engine) -> None:
    case("pass_evaluate_strangers")
    models = ("--models", "popularity,constants,biases")
    assert "96 reviews held out" in engine("evaluate", "weeks.csv", *models).stdout
    assert (
        "160 reviews held out"
        in engine("evaluate", "--train", "train.csv", "--test", "test.csv", *models).stdout
    )
    assert "time" in engine("evaluate", "same.csv", *models).sentence
    negatives = ("--negatives", "ncf.neg", "--protocol", "leave-last-out")
    assert "ncf.neg" in engine("evaluate", "plain.csv", *negatives, *models).sentence


@pytest.mark.slow
def test_pass_seen_all_small_faiss(case: Case, engine: Engine) -> None:
    case("pass_seen_all_small_faiss")
    said = engine("build-index", "r.csv", "--output", "ix", *QUICK)
    assert "504 rows read = 496 kept + 8 duplicate" in said.log
    everything = "All 24 movies were reviewed already"
    assert everything in engine("recommend", "reviewer", "u0", "--index", "ix", "-k", "5").log
    assert everything in engine("recommend", "group", "u0", "u1", "--index", "ix", "-k", "3").log
    seen = engine("recommend", "reviewer", "u0", "--index", "ix", "-k", "2", "--include-seen")
    assert len(seen.stdout.strip().splitlines()) == 3
    for kind in ("ivf", "ivf-sq8"):
        sentence = engine("reindex", "--index", "ix", "--kind", kind).sentence
        assert "needs at least 39 vectors but got 24; use a flat index" in sentence


# Other inputs of the same kinds.


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda row: (row.reviewer, "", row.rating, row.time), "no movie id"),
        (lambda row: (row.reviewer, row.movie, "good", row.time), "rating is not a number"),
        (lambda row: (row.reviewer, row.movie), "wrong number of fields"),
    ],
)
@pytest.mark.parametrize("good", [0, 4])
def test_when_most_rows_are_rejected_the_sentence_is_about_them(
    engine: Engine, change: Callable[[object], object], reason: str, good: int
) -> None:
    lines = [row if number < good else change(row) for number, row in enumerate(ROWS)]
    write("r.csv", table(lines))
    sentence = engine("prepare", "r.csv", "--output", "o.parquet").sentence
    assert reason in sentence
    assert str(NUM_ROWS - good) in sentence
    assert f"line {good + 2}" in sentence
    assert "min-reviews" not in sentence


def test_rejected_lines_of_json_are_what_the_sentence_is_about(engine: Engine) -> None:
    lines = json_lines(map(amazon, ROWS)).splitlines()
    write("r.json", "\n".join([lines[0], lines[1], *(line[:-1] for line in lines[2:])]))
    sentence = engine("prepare", "r.json", "--output", "o.parquet").sentence
    assert "not a JSON object" in sentence
    assert "118" in sentence


def test_following_the_advice_of_an_error_leads_on(engine: Engine) -> None:
    write("r.csv", table(ROWS, "who,what,grade,moment"))
    sentence = engine("prepare", "r.csv", "--output", "o.parquet").sentence
    assert "--columns" in sentence
    said = engine("prepare", "r.csv", "--output", "o.parquet", "--columns", "reviewer=who,movie=what")
    assert said.code == 0, said
    assert "rating=grade" in said.log
    named = "reviewer=who,movie=what,rating=grade,time=moment"
    said = engine("prepare", "r.csv", "--output", "o.parquet", "--columns", named)
    assert f"{NUM_ROWS} rows read = {NUM_ROWS} kept" in said.stdout


@pytest.mark.parametrize("given", ["--input-format amazon", "--format movielens", "--input-format table"])
def test_a_wrong_format_says_what_the_file_holds(engine: Engine, given: str) -> None:
    write("r.csv", table(ROWS))
    write("r.json", json_lines(map(amazon, ROWS)))
    for name in ("r.csv", "r.json"):
        said = engine("prepare", name, "--output", "o.parquet", *given.split())
        assert said.code == 0 or name in said.sentence


def test_a_good_file_says_nothing_of_trouble(prepare: Prepare) -> None:
    write("r.csv", table(ROWS))
    assert "WARNING" not in prepare("r.csv").log
