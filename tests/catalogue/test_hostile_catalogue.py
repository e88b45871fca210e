"""A catalogue that holds more than the table of movies is refused, by questions and by updates."""

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import made_index
import pytest
from forged import forge_catalogue, forge_file, live_build

from engine.artifact.layout import CATALOGUE_FILE
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.errors import ArtifactCorruptError
from engine.opened import OpenedIndex
from engine.recommender import Engine
from pipelines.updating.reindex import rebuild_index
from pipelines.updating.reviews import add_reviews

VIEW = """
alter table movies rename to base_movies;
create view movies as select * replace ((select content from read_text('{secret}')) as title) from base_movies
"""
HOSTILE = {
    "a view": VIEW,
    "another view": "create view more as select * from movies",
    "a view of nothing": "create table x as select 1; create view more as select * from x; drop table x",
    "another table": "create table more as select 1 as one",
    "a macro": "create macro lower(text) as 'x'",
    "a table macro": "create macro more() as table select * from read_text('{secret}')",
    "a schema": "create schema more",
    "a sequence": "create sequence more",
    "a type": "create type more as enum ('one')",
    "an index": "create index more on movies (movie_row)",
    "an index of an expression": "create index more on movies ((lower(title)))",
    "a default value": "alter table movies alter column title set default 'x'",
    "a constraint": "alter table movies alter column movie_id set not null",
    "a column more": "alter table movies add column more varchar",
    "a column less": "alter table movies drop column brand",
    "a column of another type": "alter table movies alter column price type varchar",
    "a generated column": """
        create table other as select * from movies; drop table movies;
        create table movies (movie_row bigint, movie_id varchar, title varchar as (movie_id),
            category varchar, main_cat varchar, description varchar, brand varchar, price double,
            rank integer, year integer, date varchar, movie_count integer, average_rating double);
        insert into movies select * exclude (title) from other; drop table other
    """,
    "no movies": "delete from movies",
    "a movie too many": "insert into movies (movie_row) values (400)",
    "a negative row": "update movies set movie_row = -1 where movie_row = 7",
    "no row": "update movies set movie_row = null where movie_row = 7",
    "a row twice": "update movies set movie_row = 8 where movie_row = 7",
    "no table": "drop table movies",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_index.write_index(tmp_path_factory.mktemp("made") / "index", 40)


@pytest.fixture
def index(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "index"))


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_more_than_the_table_of_movies_is_refused(index: Path, tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("nobody may read this")
    forge_catalogue(index, HOSTILE[kind].format(secret=secret), tmp_path)
    reviews = tmp_path / "reviews.json"
    reviews.write_text(
        json.dumps({"reviewerID": "R00003", "asin": "M0001", "overall": 4, "unixReviewTime": 1_600_000_000})
    )
    engine = Engine.load(index)
    asked: list[Callable[[], object]] = [
        lambda: engine.recommend("R00003", where="title is not null"),
        lambda: engine.find_movies("Film"),
        OpenedIndex(Artifact.open(index)).verify,
        lambda: add_reviews([reviews], index=index),
        lambda: rebuild_index(index),
    ]
    before = sorted(path.name for path in index.iterdir())
    for ask in asked:
        with pytest.raises(ArtifactCorruptError) as caught:
            ask()
        assert "catalogue" in str(caught.value)
        assert "nobody may" not in str(caught.value)
    assert {path.name for path in index.iterdir()} - {*before} <= {".lock"}


def test_a_log_of_changes_beside_the_catalogue_is_refused(index: Path) -> None:
    (live_build(index) / f"{CATALOGUE_FILE}.wal").write_bytes(b"anything")
    with pytest.raises(ArtifactCorruptError, match="log of changes"):
        Engine.load(index).recommend("R00003", where="price < 10")


@pytest.mark.parametrize("place", [0, 8, 4096, 4100, 8200, 12_288, 20_000, -200])
def test_a_damaged_catalogue_is_refused_or_answers_the_same(
    index: Path, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Engine.load(index).recommend("R00003", where="price < 10")
    content = bytearray((live_build(index) / CATALOGUE_FILE).read_bytes())
    content[place] ^= 0x41
    forge_file(index, CATALOGUE_FILE, bytes(content))
    with contextlib.suppress(ArtifactCorruptError):
        assert Engine.load(index).recommend("R00003", where="price < 10") == right


NAMES = [
    *(
        "a?b",
        "[x]*",
        ":memory:",
        "md:x",
        'it\'s "q"',
        "a%20b",
        "two\nlines",
        "d\udcff",
        "a\\b",
        "s3:",
        "~",
        "$HOME",
    ),
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_an_index_directory_may_have_any_name(
    made: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made, name)
    reviews = tmp_path / "reviews.json"
    reviews.write_text(
        json.dumps({"reviewerID": "R00003", "asin": "M0001", "overall": 4, "unixReviewTime": 1_600_000_000})
    )
    engine = Engine.load(name)
    assert engine.recommend("R00003", where="price < 10")
    assert engine.find_movie("Film 12").movie_id == "M0012"
    assert add_reviews([reviews], index=name).update["added"] == 1
    rebuild_index(name, kind="ivf", recall=0.5)
    assert Engine.load(name).recommend("R00003", where="price < 10")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "reviews.json"])


def test_a_build_is_written_into_a_directory_of_any_name(tmp_path: Path) -> None:
    for name in NAMES:
        index = made_index.write_index(tmp_path / name, 20)
        OpenedIndex(Artifact.open(index)).verify()
        with pytest.raises(ZeroDivisionError), ArtifactWriter(index):
            raise ZeroDivisionError
