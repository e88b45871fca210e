"""The pages for people, without a browser: what they show, with and without htmx, and what they escape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from made_index import movie_id, reviewer_id, write_index

from engine.service.app import make_app
from engine.service.pages.rendering import HEADERS
from engine.service.settings import ServiceSettings

SOMEONE = reviewer_id(7)
PAGES = (
    "/",
    "/search?title=a",
    f"/movie/{movie_id(3)}",
    f"/reviewer/{SOMEONE}",
    f"/newcomer?rate={movie_id(3)}%3D5",
    f"/together?reviewer={SOMEONE}&reviewer={reviewer_id(9)}",
    "/map",
    "/about",
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    directory = tmp_path_factory.mktemp("explorer") / "index"
    write_index(directory)
    settings = ServiceSettings(indexes={"default": str(directory)}, access_log=False)
    with TestClient(make_app(settings)) as opened:
        yield opened


@pytest.mark.parametrize("path", PAGES)
def test_an_address_gives_the_page_or_only_its_changed_part(client: TestClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    assert page.text.startswith("<!doctype html>")
    part = client.get(path, headers={"HX-Request": "true"})
    assert "<!doctype" not in part.text
    assert "<title>" in part.text
    assert "<h1>" in part.text
    for answer in (page, part):
        assert dict(answer.headers).items() >= {name.lower(): text for name, text in HEADERS.items()}.items()
        assert "None" not in answer.text.replace("'none'", "")
        assert "style=" not in answer.text
        assert "http://" not in answer.text.replace("http://testserver", "")


def test_a_movie_without_a_title_is_shown_by_its_id(client: TestClient) -> None:
    engine = client.app.state.indexes["default"].engine  # type: ignore[attr-defined]
    untitled = [one for one in engine.movie_ids(range(400)) if engine.title(one) is None]
    if untitled:
        assert f"<h1>{untitled[0]}</h1>" in client.get(f"/movie/{untitled[0]}").text


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/movie/nothing", 404, "No such movie"),
        ("/reviewer/R0007", 404, "Did you mean"),
        (f"/reviewer/{SOMEONE}?where=nosuch+%3E+1", 200, "names the column"),
        ("/newcomer?rate=nothing%3D5&rate=x&rate=%3D", 200, "Popular these days"),
        (f"/together?reviewer={SOMEONE}&strategy=worst", 422, "strategy"),
        ("/search?title=---", 200, "letters and digits"),
        (f"/reviewer/{SOMEONE}?diversity=abc&novelty=9", 200, "Recommended"),
    ],
)
def test_what_cannot_be_asked_is_said_on_the_page(
    client: TestClient, path: str, status: int, words: str
) -> None:
    page = client.get(path)
    assert page.status_code == status
    assert words in page.text
    assert 'role="alert"' in page.text or status == 200


def test_hostile_text_is_shown_as_text(client: TestClient) -> None:
    hostile = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    for path in ("/search", "/newcomer", "/together", "/reviewer"):
        name = {"/search": "title", "/newcomer": "add", "/together": "reviewer"}.get(path, "reviewer_id")
        page = client.get(path, params={name: hostile, "where": hostile})
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text


def test_a_condition_on_a_page_reads_no_file(client: TestClient, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret words")
    condition = f"title = (select content from read_text('{secret}'))"
    page = client.get(f"/reviewer/{SOMEONE}", params={"where": condition})
    assert "the secret words" not in page.text
    assert 'role="alert"' in page.text


def test_ratings_in_the_address_change_the_list(client: TestClient) -> None:
    one = client.get(f"/newcomer?rate={movie_id(3)}%3D5").text
    other = client.get(f"/newcomer?rate={movie_id(3)}%3D1&rate={movie_id(40)}%3D5").text
    assert one != other
    assert f'value="{movie_id(40)}=5" selected' in other


def test_the_form_for_a_reviewer_leads_to_the_page(client: TestClient) -> None:
    found = client.get(f"/reviewer?reviewer_id=+{SOMEONE}+", follow_redirects=False)
    assert (found.status_code, found.headers["location"]) == (303, f"/reviewer/{SOMEONE}")


def test_a_browser_may_send_the_token_as_a_password(tmp_path: Path) -> None:
    write_index(tmp_path / "index", num_reviewers=20)
    (tmp_path / "tokens").write_text("a-token-of-sixteen-letters\n")
    settings = ServiceSettings(
        indexes={"default": str(tmp_path / "index")},
        token_file=str(tmp_path / "tokens"),
        access_log=False,
    )
    with TestClient(make_app(settings)) as client:
        refused = client.get("/")
        assert (refused.status_code, refused.headers["www-authenticate"][:5]) == (401, "Basic")
        assert client.get("/", auth=("me", "a-token-of-sixteen-letters")).status_code == 200
        assert client.get("/", headers={"Authorization": "Basic ???"}).status_code == 401
