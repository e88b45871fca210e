"""Sentiment: scored by a lexicon, put on the scale of the stars, and learned from in training alone."""

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from engine.cli.main import main
from engine.config.sections import Config, IngestConfig, SentimentConfig, load_config
from engine.errors import ConfigError, DataError
from pipelines import build_index, evaluate
from pipelines.dataset.reviews import Reviews, make_reviews, read_reviews
from pipelines.dataset.sentiment import (
    describe_sentiment,
    read_sentiment,
    sentiment_of,
    sentiment_stars,
    training_reviews,
)
from pipelines.evaluation.comparison import verdicts
from pipelines.evaluation.data import read_for_protocol, read_pairs
from pipelines.ingest.ingest import ingest
from pipelines.work.parallel import map_texts

GOOD, BAD, SILENT = "I love this wonderful film.", "Terrible. I hate it.", "Two discs in a box."
QUICK = (
    *("relevance.max_rounds=1", "rating.max_rounds=1", "relevance.embedding_dim=8", "rating.dim=4"),
    *("split.max_holdouts=1", "relevance.num_members=1"),
    *("ingest.min_reviews_per_reviewer=1", "ingest.min_reviews_per_movie=1", "report.baselines_up_to=0"),
)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def some_rows(
    num_reviewers: int = 30, *, texts: tuple[str | None, ...] = (GOOD, BAD, SILENT)
) -> list[dict[str, Any]]:
    generator = np.random.default_rng(1)
    return [
        {
            "reviewerID": f"R{reviewer:02}",
            "asin": f"M{movie:02}",
            "overall": float(1 + (movie + reviewer) % 5),
            "unixReviewTime": 10_000 + 100 * place + reviewer,
            "reviewText": texts[(movie * reviewer) % len(texts)],
        }
        for reviewer in range(num_reviewers)
        for place, movie in enumerate(generator.permutation(15)[: 4 + reviewer % 5])
    ]


def reviews_of(ratings: list[float], sentiment: list[float] | None) -> Reviews:
    num = len(ratings)
    made = make_reviews(
        np.arange(num), np.zeros(num, np.int64), np.array(ratings), None, num_reviewers=num, num_movies=1,
        levels=np.arange(1, 6, dtype=np.float32),
    )  # fmt: skip
    scores = None if sentiment is None else np.array(sentiment, np.float32)
    return Reviews(**{**vars(made), "sentiment": scores})


def test_praise_is_positive_and_what_the_lexicon_does_not_know_says_nothing() -> None:
    good, bad = sentiment_of(GOOD), sentiment_of(BAD)
    assert good is not None
    assert bad is not None
    assert -1 <= bad < 0 < good <= 1
    for text in ("", " \n ", SILENT, "...", "\ud800", "12345"):
        assert sentiment_of(text) is None


def test_a_review_is_the_mean_of_its_sentences_however_long_it_is() -> None:
    once, often = sentiment_of("I love it."), sentiment_of("I love it. " * 500)
    assert often == pytest.approx(once)
    assert sentiment_of("love " * 100_000) is not None


def test_sentiment_is_the_same_in_processes_of_their_own() -> None:
    texts = [GOOD, BAD, SILENT] * 400
    assert map_texts(sentiment_of, texts, threads=2) == map_texts(sentiment_of, texts, threads=1)


@given(st.lists(st.tuples(st.sampled_from([1.0, 2.0, 4.0, 5.0]), st.floats(-1, 1)), min_size=1, max_size=40))
def test_sentiment_in_stars_never_falls_as_sentiment_rises(rows: list[tuple[float, float]]) -> None:
    stars, sentiment = (np.array(column) for column in zip(*rows, strict=True))
    found = sentiment_stars(sentiment, stars)
    assert (np.diff(found[np.argsort(sentiment, kind="stable")]) >= 0).all()
    assert set(found) <= set(stars)
    if len(np.unique(sentiment)) == len(sentiment):
        assert sorted(found) == sorted(stars)


def test_a_rating_to_learn_from_is_between_the_stars_and_the_sentiment() -> None:
    reviews = reviews_of([5, 5, 1, 4, 3], [0.9, -0.9, 0.1, np.nan, 0.2])
    alone = training_reviews(reviews, SentimentConfig(use=True, weight=1.0))
    assert alone.ratings.tolist() == [5, 1, 3, 4, 5]
    blended = training_reviews(reviews, SentimentConfig(use=True, weight=0.5))
    assert blended.ratings.tolist() == [5, 3, 2, 4, 4]
    stars = training_reviews(reviews, SentimentConfig(use=True, weight=0.0))
    assert stars.ratings.tolist() == [5, 5, 1, 4, 3]
    assert training_reviews(reviews, SentimentConfig()) is reviews
    with pytest.raises(ValueError, match="has not been found"):
        training_reviews(reviews_of([5, 1], None), SentimentConfig(use=True))


def test_each_review_gets_the_sentiment_of_its_own_text(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    rows = some_rows()
    path = write(tmp_path / "reviews.json", rows)
    config = IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1)
    ingest(database, [path], [], config, keep_text=True)
    reviews = read_reviews(database, Config())
    sentiment = read_sentiment(database)
    texts = {(row["reviewerID"], row["asin"]): row["reviewText"] for row in rows}
    for place in range(len(reviews)):
        text = texts[f"R{reviews.reviewer_rows[place]:02}", f"M{reviews.movie_rows[place]:02}"]
        expected = sentiment_of(text)
        assert sentiment[place] == pytest.approx(np.nan if expected is None else expected, nan_ok=True)


def test_held_out_reviews_have_no_sentiment_under_any_protocol(tmp_path: Path) -> None:
    path = write(tmp_path / "reviews.json", some_rows())
    for protocol in ("temporal", "leave-last-out", "random", "folds"):
        for fold in read_for_protocol([path], (), protocol, Config(), sentiment=True).folds:
            assert fold.test.sentiment is None
            assert fold.train.sentiment is not None
            assert np.isfinite(fold.train.sentiment).any()


def test_the_words_of_given_test_files_change_nothing(tmp_path: Path) -> None:
    rows = some_rows()
    train = write(tmp_path / "train.json", rows[:120])
    learned = []
    for name, text in (("good", GOOD), ("bad", BAD)):
        test = write(tmp_path / f"{name}.json", [{**row, "reviewText": text} for row in rows[120:]])
        (fold,) = read_pairs([(train, test)], (), Config(), sentiment=True).folds
        assert fold.test.sentiment is None
        learned.append(training_reviews(fold.train, SentimentConfig(use=True)).ratings)
    assert np.array_equal(*learned)


def test_reviews_without_texts_or_stars_are_refused_in_a_sentence(tmp_path: Path) -> None:
    silent = write(tmp_path / "silent.json", some_rows(texts=(None, "", SILENT)))
    command = ["evaluate", str(silent), "--protocol", "random", "--models", "ncf", "--sentiment"]
    result = CliRunner().invoke(main, command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "None of the" in result.stderr
    assert "leave --sentiment out" in result.stderr
    views = tmp_path / "views.csv"
    views.write_text("reviewer,movie,time\n" + "".join(f"R{n % 9},M{n % 7},{n}\n" for n in range(60)))
    with pytest.raises(DataError, match="have no ratings"):
        build_index(
            [views], output=tmp_path / "index", config=load_config(assignments=["sentiment.use=true"])
        )
    assert not (tmp_path / "index").exists() or list((tmp_path / "index").iterdir()) == []


@pytest.mark.parametrize("weight", ["-0.1", "1.1", "much"])
def test_a_weight_that_is_none_is_refused(weight: str) -> None:
    with pytest.raises(ConfigError, match=r"sentiment\.weight"):
        load_config(assignments=[f"sentiment.weight={weight}"])


def test_what_is_said_of_sentiment_agrees_with_plain_figures() -> None:
    found = describe_sentiment(reviews_of([5, 1, 5], [0.5, -0.5, np.nan]))
    assert found["reviews"] == 3
    assert found["with_sentiment"] == 2
    assert found["correlation"] == pytest.approx(1.0)
    assert found["mean_by_rating"] == {"1": -0.5, "2": None, "3": None, "4": None, "5": 0.5}
    assert describe_sentiment(reviews_of([5, 5], [0.5, 0.5]))["correlation"] is None


def test_a_verdict_needs_a_difference_that_is_no_chance() -> None:
    mean = {
        "ncf": {"mae": 0.7, "ndcg@10": 0.2},
        "ncf-sentiment": {"mae": 0.8, "ndcg@10": 0.19},
        "ncf-blend": {"mae": 0.6, "ndcg@10": 0.1},
    }
    p_values = {
        "ncf-sentiment": {"mae": 0.001, "ndcg@10": 0.5},
        "ncf-blend": {"mae": 0.002, "ndcg@10": 0.002},
    }
    said = verdicts(mean, p_values, "ncf")
    assert said["ncf-sentiment"].startswith("It did harm: worse in mae 0.8000 against 0.7000")
    assert "ndcg" not in said["ncf-sentiment"]
    assert said["ncf-blend"].startswith("It helped and did harm: better in mae")
    nothing = verdicts(mean, {"ncf-blend": {"mae": 0.02}}, "ncf")["ncf-blend"]
    assert nothing == "It made no difference that these reviews could show."
    assert verdicts({"popularity": {}}, {}, "popularity") == {}


@pytest.mark.slow
def test_the_three_signals_are_compared_on_the_same_split(tmp_path: Path) -> None:
    path = write(tmp_path / "reviews.json", some_rows())
    config = load_config(assignments=(*QUICK, "sentiment.use=true"))
    found = evaluate([path], protocol="last-share", models=("ncf", "popularity"), config=config).to_dict()
    assert list(found["mean"]) == ["ncf", "ncf-sentiment", "ncf-blend", "popularity"]
    assert set(found["sentiment"]["verdicts"]) == {"ncf-sentiment", "ncf-blend"}
    stars = evaluate([path], protocol="last-share", models=("ncf",), config=load_config(assignments=QUICK))
    assert stars.to_dict()["mean"]["ncf"] == found["mean"]["ncf"]
    assert stars.sentiment is None


@pytest.mark.slow
def test_a_build_learns_from_the_blend_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "reviews.json", some_rows(texts=(BAD, GOOD)))
    assignments = [part for setting in QUICK for part in ("--set", setting)]
    command = ["build-index", str(path), "--output", str(tmp_path / "index"), "--sentiment", "--json"]
    result = CliRunner().invoke(main, [*command, *assignments])
    assert result.exit_code == 0, result.output
    manifest = json.loads(result.stdout)
    assert manifest["config"]["sentiment"] == {"use": True, "weight": 0.3}
    assert manifest["sentiment"]["with_sentiment"] == manifest["counts"]["reviews"]
    [page] = (tmp_path / "index").glob("build-*/report.html")
    assert "blended with the sentiment of" in page.read_text(encoding="utf-8")
