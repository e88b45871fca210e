"""The service takes feedback, knows it in the next answer of every worker, and notes what it shows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fastapi.testclient import TestClient
from made_index import movie_id, reviewer_id, write_index

from engine.errors import ConfigError
from engine.feedback.exposures import ExposureLog
from engine.feedback.journal import journal_of
from engine.service.app import make_app
from engine.service.live.arms import Trial, read_trial
from engine.service.settings import ServiceSettings
from pipelines import add_reviews

KNOWN, NEW = reviewer_id(7), "newcomer"
REVIEW = {"reviewer_id": NEW, "movie_id": movie_id(3), "rating": 5}


def client_of(index: Path, **settings: Any) -> TestClient:
    values = {"indexes": {"default": str(index)}, "access_log": False} | settings
    return TestClient(make_app(ServiceSettings(**values)))


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return write_index(tmp_path / "index", num_reviewers=60)


@pytest.fixture
def client(index: Path) -> Iterator[TestClient]:
    with client_of(index) as opened:
        yield opened


def movies_of(client: TestClient, reviewer: str, k: int = 10, **options: Any) -> list[str]:
    found = client.get(f"/v1/recommend/reviewer/{reviewer}", params={"k": k, **options})
    assert found.status_code == 200, found.text
    return [movie["movie_id"] for movie in found.json()["recommendations"]]


def lines(index: Path) -> list[dict[str, Any]]:
    segments = journal_of(index).segments()
    paths = (journal_of(index).path_of(end.token, end.number) for end in segments)
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def test_the_next_list_of_every_worker_knows_a_review(client: TestClient, index: Path) -> None:
    with client_of(index) as other:
        before = movies_of(client, KNOWN)
        sent = {"reviewer_id": KNOWN, "movie_id": before[0], "rating": 1}
        assert client.post("/v1/reviews", json=sent).json()["accepted"] == 1
        after = movies_of(client, KNOWN)
        assert before[0] not in after
        assert movies_of(other, KNOWN) == after
        assert other.get(f"/v1/recommend/reviewer/{NEW}").status_code == 404
        assert other.post("/v1/reviews", json=REVIEW).status_code == 200
        assert movies_of(client, NEW) == movies_of(other, NEW)
        assert client.get(f"/v1/reviewers/{NEW}").json()["history"][0]["movie_id"] == movie_id(3)
        assert client.get(f"/reviewer/{NEW}").status_code == 200


def test_a_review_that_is_sent_again_counts_once(client: TestClient, index: Path) -> None:
    key = {"Idempotency-Key": "order 17"}
    first = client.post("/v1/reviews", json=REVIEW, headers=key)
    assert first.json() == {"accepted": 1, "repeated": 0, "ids": ["order 17"], "unknown_movies": []}
    with client_of(index) as other:
        again = other.post("/v1/reviews", json=REVIEW, headers=key)
    assert (again.status_code, again.json()["repeated"]) == (200, 1)
    changed = client.post("/v1/reviews", json=REVIEW | {"rating": 1}, headers=key)
    assert changed.status_code == 409
    assert "'order 17' belongs to other feedback" in changed.json()["detail"]
    batch = {"reviews": [REVIEW | {"id": "a"}, REVIEW | {"movie_id": "later"}]}
    assert client.post("/v1/reviews", json=batch, headers={"Idempotency-Key": "k"}).json() == {
        "accepted": 2,
        "repeated": 0,
        "ids": ["a", "k/1"],
        "unknown_movies": ["later"],
    }
    assert [line["id"] for line in lines(index)] == ["order 17", "a", "k/1"]


def test_kinds_get_their_ratings_and_the_list_that_they_came_from(client: TestClient, index: Path) -> None:
    shown = client.get(f"/v1/recommend/reviewer/{KNOWN}").headers["Recommendation-Id"]
    kinds = ("click", "purchase", "dislike", "hidden")
    reviews = [
        {"reviewer_id": f" {KNOWN}\n", "movie_id": movie_id(row), "kind": kind, "recommendation_id": shown}
        for row, kind in enumerate(kinds)
    ]
    reviews.append({"reviewer_id": KNOWN, "movie_id": movie_id(9), "rating": 3.7, "time": 1_700_000_000})
    assert client.post("/v1/reviews", json={"reviews": reviews}).json()["accepted"] == 5
    found = lines(index)
    assert [line.get("rating") for line in found] == [3.0, 4.0, 1.0, None, 4.0]
    assert {line["reviewer_id"] for line in found} == {KNOWN}
    assert {line.get("recommendation_id") for line in found[:4]} == {shown}
    assert found[4]["time"] == 1_700_000_000


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"reviewer_id": NEW}, "review.movie_id: field required"),
        (REVIEW | {"movie_id": " null "}, "must be an id, not a word for a missing value"),
        (REVIEW | {"rating": 9}, "The rating must be between 1 and 5, as in the index, but is 9."),
        (REVIEW | {"rating": None}, "as in the index, but is missing."),
        (REVIEW | {"kind": "click"}, "A click has no rating; leave the rating out."),
        (REVIEW | {"kind": "like"}, "review.kind: input should be 'rating', 'click'"),
        (REVIEW | {"time": 99_999_999_999}, "is in the future; send unix seconds."),
        (REVIEW | {"stars": 5}, "review.stars: extra inputs are not permitted"),
        ({"reviews": []}, "batch.reviews: list should have at least 1 item"),
        ({"reviews": [REVIEW, REVIEW | {"rating": 0}]}, "Review 2: The rating must be between 1 and 5"),
        ([REVIEW], "review: input should be a valid dictionary"),
    ],
)
def test_feedback_that_cannot_be_used_is_refused_as_a_whole(
    client: TestClient, index: Path, sent: Any, words: str
) -> None:
    refused = client.post("/v1/reviews", json=sent)
    assert refused.status_code == 422
    assert words in refused.json()["detail"]
    assert lines(index) == []


def test_a_hidden_movie_is_gone_at_once_and_after_the_next_build(client: TestClient, index: Path) -> None:
    before = movies_of(client, KNOWN)
    path = f"/v1/movies/{before[0]}/hidden"
    assert client.get("/v1/hidden").json() == {"movies": []}
    with client_of(index) as other:
        for _ in range(2):
            assert client.put(path).json() == {"movie_id": before[0], "hidden": True}
        for one in (client, other):
            assert before[0] not in movies_of(one, KNOWN, k=400, include_seen=True)
            assert one.get("/v1/hidden").json() == {"movies": [before[0]]}
            assert one.get(f"/v1/movies/{before[0]}").status_code == 200
    assert len(lines(index)) == 1
    add_reviews(index=index)
    with client_of(index) as later:
        assert before[0] not in movies_of(later, KNOWN)
        assert later.delete(path).json() == {"movie_id": before[0], "hidden": False}
        assert movies_of(later, KNOWN) == before


def test_a_journal_that_cannot_be_written_refuses_reviews_and_answers_questions(
    client: TestClient, index: Path
) -> None:
    (index / "journal").write_text("in the way")
    refused = client.post("/v1/reviews", json=REVIEW)
    assert refused.status_code == 503
    assert "cannot be written" in refused.json()["detail"]
    assert len(movies_of(client, KNOWN)) == 10


def test_tokens_guard_feedback(index: Path, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("a-token-of-sixteen-letters")
    with client_of(index, token_file=str(tmp_path / "tokens")) as client:
        assert client.post("/v1/reviews", json=REVIEW).status_code == 401
        assert client.put("/v1/movies/M0001/hidden").status_code == 401
        assert client.get("/v1/hidden").status_code == 401


def test_the_metrics_count_feedback_and_the_waiting_journal(client: TestClient, index: Path) -> None:
    client.post("/v1/reviews", json=REVIEW)
    movies_of(client, NEW)
    text = client.get("/metrics").text
    assert 'engine_feedback_total{index="default",kind="rating",outcome="accepted"}' in text
    assert 'engine_journal_events_waiting{index="default"} 1.0' in text
    size = sum(end.size for end in journal_of(index).segments())
    assert f'engine_journal_bytes{{index="default"}} {float(size)}' in text


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    return write_index(tmp_path / "trial", num_reviewers=60, seed=4)


def test_a_stable_share_of_reviewers_is_answered_from_another_index(index: Path, trial: Path) -> None:
    reviewers = [reviewer_id(row) for row in range(1, 41)]
    with (
        client_of(index, trial=read_trial(f"{trial}=30%", {})) as client,
        client_of(index) as main,
        client_of(trial) as other,
    ):
        arms = {}
        for one in reviewers:
            found = client.get(f"/v1/recommend/reviewer/{one}")
            arms[one] = found.headers["Experiment-Arm"]
            expected = other if arms[one] == "trial" else main
            assert found.content == expected.get(f"/v1/recommend/reviewer/{one}").content
        assert 4 <= list(arms.values()).count("trial") <= 22
        asked = {"reviewer_ids": reviewers, "k": 3}
        lists = client.post("/v1/recommend/reviewers", json=asked).json()["lists"]
        assert {one["reviewer_id"]: one["experiment_arm"] for one in lists} == arms
        assert len({one["recommendation_id"] for one in lists}) == len(reviewers)
        assert 'engine_lists_total{arm="trial",index="default"}' in client.get("/metrics").text
        assert "Experiment-Arm" not in main.get(f"/v1/recommend/reviewer/{KNOWN}").headers
        someone = next(one for one, arm in arms.items() if arm == "trial")
        top = movies_of(client, someone)[0]
        client.post("/v1/reviews", json={"reviewer_id": someone, "movie_id": top, "rating": 5})
        assert top not in movies_of(client, someone)
    assert len(lines(index)) == 1
    assert not (trial / "journal").exists()


def test_a_larger_share_keeps_the_reviewers_of_a_smaller_share() -> None:
    ids = [f"R{number}" for number in range(2000)]
    small, large = ({one for one in ids if Trial("new", "", share).holds(one)} for share in (0.1, 0.3))
    assert small < large
    assert 150 <= len(small) <= 250
    assert small != {one for one in ids if Trial("other", "", 0.1).holds(one)}


@pytest.mark.parametrize("text", ["trial", "trial=", "trial=10", "=10%", "trial=0%", "trial=100%", "t=x%"])
def test_a_test_without_a_share_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="must be an index and a share"):
        read_trial(text, {})


def test_a_trial_may_be_one_of_the_served_indexes() -> None:
    assert read_trial("new=5%", {"new": "/srv/new"}) == ("new", "/srv/new", 0.05)
    with pytest.raises(ConfigError, match="cannot name its index 'main'"):
        read_trial("x/main=5%", {})


def exposures(folder: Path) -> list[tuple[Any, ...]]:
    pattern = str(folder / "*.parquet")
    return duckdb.sql(
        f"select * from read_parquet('{pattern}') order by time, recommendation_id, rank"
    ).fetchall()


def test_what_is_shown_can_be_joined_with_clicks(index: Path, tmp_path: Path) -> None:
    with client_of(index, exposures=str(tmp_path / "shown")) as client:
        found = client.get(f"/v1/recommend/reviewer/{KNOWN}", params={"k": 3, "offset": 3})
        clicked = found.json()["recommendations"][1]["movie_id"]
        sent = {"reviewer_id": KNOWN, "movie_id": clicked, "kind": "click"}
        sent["recommendation_id"] = found.headers["Recommendation-Id"]
        client.post("/v1/reviews", json=sent)
        client.get(f"/v1/similar/movie/{movie_id(5)}?k=2")
        client.post("/v1/recommend/reviewers", json={"reviewer_ids": [KNOWN, reviewer_id(9)], "k": 2})
        assert client.get("/v1/reviewers/" + KNOWN).headers.get("Recommendation-Id") is None
    assert [path.suffix for path in (tmp_path / "shown").iterdir()] == [".parquet"]
    rows = exposures(tmp_path / "shown")
    assert len(rows) == 3 + 2 + 4
    first = rows[0]
    assert first[2:7] == ("default", "main", found.headers["X-Index-Build"], "recommend/reviewer", KNOWN)
    assert [row[7] for row in rows[:3]] == [4, 5, 6]
    [(rank,)] = duckdb.sql(
        f"select rank from read_parquet('{tmp_path}/shown/*.parquet') "
        f"join read_json('{index}/journal/*.jsonl') using (recommendation_id, movie_id)"
    ).fetchall()
    assert rank == 5


def test_exposures_of_a_killed_process_are_kept(tmp_path: Path) -> None:
    facts = dict.fromkeys(("index_name", "arm", "build", "question", "reviewer_id"), "x")
    if (child := os.fork()) == 0:
        log = ExposureLog(tmp_path)
        log.add(facts | {"recommendation_id": "r1"}, ["M1", "M2"], [2.0, 1.0])
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    [left] = tmp_path.glob("*.jsonl")
    with left.open("a") as file:
        file.write('{"recommendation_id": "torn')
    log = ExposureLog(tmp_path)
    log.add(facts | {"recommendation_id": "r2"}, [], [])
    log.close()
    assert [(row[0], row[7], row[8]) for row in exposures(tmp_path)] == [("r1", 1, "M1"), ("r1", 2, "M2")]
    assert {path.suffix for path in tmp_path.iterdir()} == {".parquet"}


def test_lists_that_have_waited_become_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = dict.fromkeys(("recommendation_id", "index_name", "arm", "build", "question", "reviewer_id"), "x")
    log = ExposureLog(tmp_path)
    log.add(facts, ["M1"], [1.0])
    log.rotate()
    assert list(tmp_path.glob("*.parquet")) == []
    monkeypatch.setattr("engine.feedback.exposures.LONGEST_WAIT", 0.0)
    log.rotate()
    log.close()
    assert len(exposures(tmp_path)) == 1


def test_a_page_of_another_origin_cannot_send_reviews(client: TestClient, index: Path) -> None:
    for kind in ({"Content-Type": "text/plain"}, {"Content-Type": ""}):
        refused = client.post("/v1/reviews", content=json.dumps(REVIEW), headers=kind)
        assert refused.status_code in (415, 422)
    assert lines(index) == []


def test_a_folder_that_cannot_be_written_to_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="Cannot write exposures to"):
        ExposureLog(tmp_path / "file" / "inside")
