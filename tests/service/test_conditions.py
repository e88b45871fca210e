"""Hostile conditions through HTTP: none reads a file or a setting, or takes longer than allowed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from made_index import movie_id, reviewer_id, write_index

from engine.catalogue import matching
from engine.service.app import make_app
from engine.service.settings import ServiceSettings

SECRET = "the secret words"
PLACES = (f"/v1/recommend/reviewer/{reviewer_id(7)}", f"/v1/similar/movie/{movie_id(3)}")
READERS = (
    "title in (select content from read_text('{file}'))",
    "title in (select column0 from read_csv('{file}', header=false))",
    "title in (from '{file}')",
    "exists (select * from read_blob('{file}'))",
    "exists (select * from glob('{folder}/*'))",
    "exists (select * from parquet_scan('{file}'))",
    "exists (select * from duckdb_settings())",
    "exists (select * from information_schema.tables)",
    "getenv('HOME') is not null",
    "current_setting('secret_directory') is not null",
    "getvariable('x') is null",
    "query('select 1') is not null",
    "1 = 1) or (select count(*) from read_text('{file}')) > 0 or (1 = 1",
    "1 = 1; attach '{file}' as stolen",
    "1 = 1; copy movies to '{folder}/copy.csv'",
    "1 = 1; pragma database_list",
    "1 = 1; install httpfs",
    "1 = 1; set enable_external_access = true",
    "1 = 1 -- ) limit 0",
    "1 = 1 /* ",
    "year > (select max(year) from movies)",
    "$1 = 1",
    "? = 1",
)
LONG_RUNS = (
    "length(repeat(title, 100000000)) > 0",
    "list_sum(range(1000000000)) > 0",
    "list_sum(list_transform(range(100000000), x -> x * year)) > 0",
    "regexp_matches(repeat(title, 2000), '(a*)*(b*)*(c*)*(d*)*(e*)*$')",
    "levenshtein(repeat(title, 5000), repeat(title, 5000)) > 0",
    "length(lpad(title, 2000000000, 'x')) > 0",
    "(select count(*) from range(100000) a, range(100000) b) > 0",
    "(with recursive r as (select 1 as n union all select n + 1 from r) select max(n) from r) > 0",
    "(" * 3000 + "year > 1" + ")" * 3000,
    "year > 1" + " or year > 1" * 800,
    "not " * 2000 + "true",
    "year in (" + ",".join(map(str, range(1500))) + ")",
    "case " + "when year > 1 then true " * 350 + "end",
    "-" + "(" * 100 + "1" + ")" * 100 + " < 0",
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    directory = tmp_path_factory.mktemp("conditions") / "index"
    write_index(directory)
    with TestClient(
        make_app(ServiceSettings(indexes={"default": str(directory)}, access_log=False))
    ) as opened:
        yield opened


@pytest.mark.parametrize("condition", READERS)
def test_a_condition_reads_nothing_but_the_catalogue(
    client: TestClient, tmp_path: Path, condition: str
) -> None:
    (tmp_path / "secret.csv").write_text(f"{SECRET}\n")
    asked = condition.format(file=tmp_path / "secret.csv", folder=tmp_path)
    for place in PLACES:
        answer = client.get(place, params={"where": asked})
        # A comment is harmless: the condition ends at the end of its line.
        assert answer.status_code == (200 if "--" in condition else 422), answer.text
        assert SECRET not in answer.text
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


@pytest.mark.parametrize("condition", LONG_RUNS, ids=range(len(LONG_RUNS)))
def test_a_condition_takes_no_longer_than_allowed(
    client: TestClient, condition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "TIME_LIMIT", 0.5)
    began = time.monotonic()
    answer = client.get(PLACES[0], params={"where": condition})
    assert time.monotonic() - began < 5
    assert answer.status_code in (200, 422), answer.text
    assert client.get(PLACES[0], params={"where": "year > 1"}).status_code == 200
