import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pytest

from engine.artifact.layout import CATALOGUE_FILE
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.cards import MovieCards
from engine.catalogue.database import Catalogue
from engine.catalogue.filters import CATALOGUE_COLUMNS
from engine.errors import ArtifactCorruptError, ArtifactError, FilterError
from pipelines.export.catalogue import write_catalogue

MOVIES = """
create table movies as
select * from (values
    (2, 'C3', 'It''s "Noir"', 'Drama | Crime', 'DVD', 'A tale', 'Acme', 4.5, 12, 1944, '1999', ['http://a', 'http://b'],
     [], [], 7, 4.25::double),
    (0, 'A1', 'Laura', 'Drama', 'DVD', null, null, 14.0, null, null, null, null, [], [], 3, 3.0),
    (1, 'B2', null, null, null, null, null, null, null, null, null, [], [], [], 2, null)
) as t(movie_row, movie_id, title, category, main_cat, description, brand, price, rank, year, date, links,
       also_buy, also_view, movie_count, average_rating)
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("it's an index")
    connection = duckdb.connect()
    connection.execute(MOVIES)
    with ArtifactWriter(directory) as writer:
        write_catalogue(connection, writer)
    return directory


@pytest.fixture(scope="module")
def catalogue(index: Path) -> Catalogue:
    return Catalogue(Artifact.open(index))


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("price < 10", [2]),
        ("price > 1", [0, 2]),
        ("title is null", [1]),
        ("title ilike '%noir%' -- the rest is a comment", [2]),
        ("contains(category, 'Drama') and main_cat = 'DVD'", [0, 2]),
        ("movie_id in ('A1', 'B2', 'Z9')", [0, 1]),
        ("year between 1940 and 1950 or movie_count >= 3", [0, 2]),
        ("true", [0, 1, 2]),
        ("average_rating > 5", []),
        ("title = 'It''s \"Noir\"'", [2]),
    ],
)
def test_a_condition_finds_its_movies(catalogue: Catalogue, condition: str, rows: list[int]) -> None:
    found = catalogue.matching_rows(condition)
    assert found.tolist() == rows
    assert found.dtype.name == "int64"


def test_every_column_can_be_named(catalogue: Catalogue) -> None:
    for column in CATALOGUE_COLUMNS:
        assert len(catalogue.matching_rows(f"{column} is null or {column} is not null")) == 3


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("price <", "not a condition in SQL"),
        ("prise < 10", "did you mean price"),
        ("price", "gives a value of type DOUBLE"),
        ("title", "gives a value of type VARCHAR"),
        ("", "empty"),
        ("price < 'cheap'", "cannot be used"),
        ("price in (select price from movies)", "subquery"),
        ("exists (select 1 from read_csv('/etc/passwd'))", "subquery"),
        ("read_text('/etc/passwd') is not null", "may not"),
        ("count(*) > 1", "may not"),
        ("price < 10; drop table movies", "more than one statement"),
        ("true) or (true", "not a condition"),
        ("true limit 1", "not a condition"),
        ("true union all select 1", "not a condition"),
        ("row_number() over () < 2", "more than a filter"),
        ("movie_row = 1", "does not exist"),
        ("getenv('HOME') is not null", "may not"),
        ("current_setting('threads') = '1'", "may not"),
    ],
)
def test_what_is_not_a_filter_is_refused_in_one_sentence(
    catalogue: Catalogue, condition: str, message: str
) -> None:
    with pytest.raises(FilterError) as caught:
        catalogue.matching_rows(condition)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from glob('/*')",
        "create table more as select 1",
        "drop table movies",
        "copy movies to '/tmp/stolen.csv'",
        "set threads = 4",
        "attach '/tmp/other.duckdb'",
        "install httpfs",
    ],
)
def test_the_connection_itself_can_read_no_file_and_change_nothing(
    catalogue: Catalogue, statement: str
) -> None:
    with pytest.raises(duckdb.Error):
        catalogue._cursor().execute(statement)


@pytest.fixture(scope="module")
def long_texts(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """Opens a catalogue of 4,000 movies, of which each has a long description."""
    directory = tmp_path_factory.mktemp("long")
    connection = duckdb.connect()
    connection.execute(MOVIES)
    connection.execute("delete from movies")
    connection.execute(
        "insert into movies (movie_row, movie_id, title, description) "
        "select range, range::varchar, 'Film ' || range, "
        "range || repeat('ab a', 2500 + range % 1000) || 'end' from range(4000)"
    )
    with ArtifactWriter(directory) as writer:
        write_catalogue(connection, writer)
    catalogue = Catalogue(Artifact.open(directory))
    catalogue.check()  # Opens the database before the tests measure time.
    return catalogue


SLOW = " or ".join(f"description ilike '%{'ab a' * 70}{n}%'" for n in range(30))


def test_a_slow_condition_is_stopped_in_every_thread(
    long_texts: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.catalogue.matching.TIME_LIMIT", 0.3)
    caught: list[str] = []

    def ask() -> None:
        with pytest.raises(FilterError) as error:
            long_texts.matching_rows(SLOW)
        caught.append(str(error.value))

    began = time.monotonic()
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 5
    assert len(caught) == 4
    assert all("takes longer than the 0.3 seconds" in sentence for sentence in caught)
    assert len(long_texts.matching_rows("movie_id in ('7', '3999')")) == 2


def test_pieces_find_what_one_query_finds(long_texts: Catalogue) -> None:
    assert len(long_texts.matching_rows("title is not null")) == 4000
    assert long_texts.matching_rows("title like '%39_9'").tolist() == [*range(3909, 4000, 10)]


def test_a_condition_sees_the_beginning_of_a_very_long_text(long_texts: Catalogue) -> None:
    assert len(long_texts.matching_rows("description like '%ab aab a%'")) == 4000
    assert len(long_texts.matching_rows("length(description) > 10000")) == 0


def test_ctrl_c_is_heard_while_a_condition_runs(long_texts: Catalogue) -> None:
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        long_texts.matching_rows(SLOW)
    assert time.monotonic() - began < 3


def test_many_threads_ask_at_once(catalogue: Catalogue) -> None:
    found: list[list[int]] = []
    threads = [
        threading.Thread(target=lambda: found.append(catalogue.matching_rows("price > 1").tolist()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[0, 2]] * 8


def test_two_processes_read_one_catalog_from_a_read_only_directory(index: Path) -> None:
    artifact = Artifact.open(index)
    path, here = artifact.file(CATALOGUE_FILE), Catalogue(artifact)
    assert here.matching_rows("true").tolist() == [0, 1, 2]
    script = (
        "import sys; from engine.artifact.reader import Artifact;"
        "from engine.catalogue.database import Catalogue;"
        "print(Catalogue(Artifact.open(sys.argv[1])).matching_rows('price > 1').tolist())"
    )
    path.parent.chmod(0o555)
    path.chmod(0o444)
    try:
        output = subprocess.run(
            [sys.executable, "-c", script, str(index)], capture_output=True, text=True, check=True
        ).stdout
    finally:
        path.parent.chmod(0o755)
        path.chmod(0o644)
    assert output == "[0, 2]\n"
    assert sorted(file.name for file in path.parent.iterdir()) == sorted(
        [*Artifact.open(index).manifest["files"], "manifest.json"]
    )
    here.close()
    assert here.matching_rows("price > 1").tolist() == [0, 2]


def test_a_catalog_that_is_not_a_database_is_corrupt(tmp_path: Path) -> None:
    with ArtifactWriter(tmp_path) as writer:
        writer.path_for(CATALOGUE_FILE).write_bytes(b"nothing like it" * 1000)
    with pytest.raises(ArtifactCorruptError, match="cannot be read"):
        Catalogue(Artifact.open(tmp_path)).matching_rows("true")


def test_importing_the_catalog_imports_no_database() -> None:
    script = (
        "import sys, engine.catalogue.database, engine.catalogue.cards, engine.artifact.reader\n"
        "sys.exit('duckdb' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_cards_are_written_beside_it(index: Path) -> None:
    artifact = Artifact.open(index)
    cards = MovieCards(artifact.array("movie_cards"), artifact.array("movie_card_offsets"))
    assert [cards.card(row)["title"] for row in range(3)] == ["Laura", None, 'It\'s "Noir"']
    assert cards.card(2)["link"] == "http://a"
    assert cards.card(2)["links"] == ["http://a", "http://b"]
    assert cards.card(0)["link"] is None
    assert cards.card(0)["price"] == 14.0


def test_a_database_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    connection = duckdb.connect()
    connection.execute(MOVIES)
    with ArtifactWriter(tmp_path / "index") as writer:
        writer.path_for(CATALOGUE_FILE).mkdir()
        with pytest.raises(ArtifactError, match="Cannot write the catalogue"):
            write_catalogue(connection, writer)
