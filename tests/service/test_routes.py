"""Each route answers as the command line does with --json, and refuses in problem details."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from made_index import movie_id, reviewer_id, write_index

from engine.cli.main import main
from engine.service.app import make_app
from engine.service.settings import ServiceSettings, named_indexes

SOMEONE, OTHER, NOBODY = reviewer_id(7), reviewer_id(9), "R99999"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("service") / "index"
    write_index(directory)
    return directory


def client_of(index: Path, **settings: Any) -> TestClient:
    indexes = settings.pop("indexes", {"default": str(index)})
    return TestClient(make_app(ServiceSettings(indexes=indexes, access_log=False, **settings)))


@pytest.fixture(scope="module")
def client(index: Path) -> Iterator[TestClient]:
    with client_of(index) as opened:
        yield opened


def printed(index: Path, *command: str) -> Any:
    result = CliRunner().invoke(main, [*command, "--index", str(index), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_list_is_what_the_command_prints(client: TestClient, index: Path) -> None:
    options = ["--where", "year >= 1970", "--exclude", movie_id(3), "--diversity", "0.5", "--no-because"]
    expected = printed(index, "recommend", "reviewer", SOMEONE, "-k", "5", *options)
    asked = {"where": "year >= 1970", "exclude": [movie_id(3)], "diversity": 0.5, "because": False, "k": 5}
    assert client.get(f"/v1/recommend/reviewer/{SOMEONE}", params=asked).json() == expected
    in_body = client.post("/v1/recommend/reviewer", json={**asked, "reviewer_id": SOMEONE})
    assert in_body.json() == expected
    assert in_body.headers["X-Index-Build"].startswith("build-")


def test_lists_of_several_reviewers_are_those_of_each(client: TestClient, index: Path) -> None:
    asked = {"reviewer_ids": [SOMEONE, NOBODY, OTHER], "k": 4, "fallback": "popular"}
    found = client.post("/v1/recommend/reviewers", json=asked).json()["lists"]
    expected = [
        printed(index, "recommend", "reviewer", one, "-k", "4", "--fallback", "popular")
        for one in (SOMEONE, NOBODY, OTHER)
    ]
    for one, other in zip(found, expected, strict=True):
        assert [movie["movie_id"] for movie in one["recommendations"]] == [
            movie["movie_id"] for movie in other["recommendations"]
        ]
    assert found[1]["fallback"] == "popular"


def test_other_questions_are_what_the_commands_print(client: TestClient, index: Path) -> None:
    movie = movie_id(5)
    pairs = f"{movie_id(1)}=5", f"{movie_id(2)}=2"
    ratings = {"ratings": {movie_id(1): 5, movie_id(2): 2}, "k": 3}
    assert client.post("/v1/recommend/ratings", json=ratings).json() == printed(
        index, "recommend", "ratings", *pairs, "-k", "3"
    )
    group = {"reviewer_ids": [SOMEONE, OTHER], "strategy": "least-misery", "k": 3}
    assert client.post("/v1/recommend/group", json=group).json() == printed(
        index, "recommend", "group", SOMEONE, OTHER, "--strategy", "least-misery", "-k", "3"
    )
    assert client.get(f"/v1/recommend/movie/{movie}?k=3").json() == printed(
        index, "recommend", "movie", movie, "-k", "3"
    )
    assert client.get(f"/v1/similar/movie/{movie}?k=3").json() == printed(
        index, "similar", "movie", movie, "-k", "3"
    )
    assert client.get(f"/v1/similar/reviewer/{SOMEONE}?k=3").json() == printed(
        index, "similar", "reviewer", SOMEONE, "-k", "3"
    )
    asked = {"reviewer_id": SOMEONE, "movie_ids": [movie, movie_id(6)]}
    assert client.post("/v1/predict", json=asked).json() == printed(
        index, "predict", SOMEONE, movie, movie_id(6)
    )


@pytest.mark.parametrize("variety", [{}, {"diversity": 0.7}])
def test_pages_of_a_list_repeat_no_movie(client: TestClient, variety: dict[str, float]) -> None:
    movies: list[str] = []
    for offset in range(0, 40, 8):
        asked = {"k": 8, "offset": offset, **variety}
        page = client.get(f"/v1/recommend/reviewer/{SOMEONE}", params=asked).json()
        movies += [movie["movie_id"] for movie in page["recommendations"]]
        assert [movie["rank"] for movie in page["recommendations"]] == [*range(offset + 1, offset + 9)]
    assert len(movies) == len(set(movies)) == 40


def test_indexes_have_names(index: Path, tmp_path: Path) -> None:
    write_index(tmp_path / "books", num_reviewers=20, seed=5)
    indexes = named_indexes((str(index), f"books={tmp_path / 'books'}"))
    with client_of(index, indexes=indexes) as client:
        assert (
            client.get("/v1/info").json()["counts"] != client.get("/v1/indexes/books/info").json()["counts"]
        )
        missing = client.get("/v1/indexes/plays/info")
    assert missing.status_code == 404
    assert "books, default" in missing.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (f"/v1/recommend/reviewer/{NOBODY}", 404, f"No reviewer '{NOBODY}'"),
        (f"/v1/recommend/reviewer/{SOMEONE}?k=0", 422, "k: input should be greater than or equal to 1"),
        (f"/v1/recommend/reviewer/{SOMEONE}?k=99999", 422, "less than or equal to 1000"),
        (f"/v1/recommend/reviewer/{SOMEONE}?wherex=x", 422, "wherex: extra inputs are not permitted"),
        (f"/v1/recommend/reviewer/{SOMEONE}?where=nosuch>1", 422, "names the column 'nosuch'"),
        (f"/v1/recommend/reviewer/{SOMEONE}?min_rating=nan", 422, "min_rating: input should be a finite"),
        ("/v1/movies?title=---", 422, "letters and digits"),
        ("/v1/nowhere", 404, "Not Found"),
    ],
)
def test_a_request_that_cannot_be_answered_gets_one_sentence(
    client: TestClient, path: str, status: int, words: str
) -> None:
    refused = client.get(path)
    assert refused.status_code == status
    assert refused.headers["content-type"] == "application/problem+json"
    body = refused.json()
    assert body["status"] == status
    assert words in body["detail"]


def test_no_request_makes_the_service_read_a_file(client: TestClient, tmp_path: Path) -> None:
    secret = tmp_path / "ids.txt"
    secret.write_text(movie_id(3))
    refused = client.get(f"/v1/recommend/reviewer/{SOMEONE}", params={"only": str(secret)})
    assert refused.status_code == 404
    asked = {"where": f"title = (select content from read_text('{secret}'))"}
    assert client.get(f"/v1/recommend/reviewer/{SOMEONE}", params=asked).status_code == 422


def test_a_body_that_is_too_long_is_refused(client: TestClient) -> None:
    refused = client.post("/v1/predict", content=b"x" * (1 << 20) + b"x")
    assert refused.status_code == 413


def test_the_document_declares_every_answer(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method in methods.values():
            if path.startswith("/v1/") and path != "/v1/info":
                assert "application/json" in method["responses"]["200"]["content"], path
                assert "application/problem+json" in method["responses"]["404"]["content"]
    assert "ProblemAnswer" in document["components"]["schemas"]


def test_hot_routes_return_bytes_and_no_models() -> None:
    """A dictionary or a response model would cost milliseconds for each list."""
    from fastapi.routing import APIRoute

    from engine.service.routes import router

    for route in router.routes:
        assert isinstance(route, APIRoute)
        assert route.response_model is None, route.path


def test_health_and_metrics_count(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["builds"]["default"].startswith("build-")
    client.get(f"/v1/recommend/reviewer/{SOMEONE}")
    text = client.get("/metrics").text
    assert 'engine_requests_total{question="/recommend/reviewer/{reviewer_id:path}",status="200"}' in text
    assert "engine_index_built_timestamp_seconds" in text
