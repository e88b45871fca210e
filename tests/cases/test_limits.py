"""What a question may cost, and what reaches the terminal."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_runs import Engine
from invented_files import ROWS, json_lines, table, write

from engine import Engine as Recommender
from engine.errors import EngineError, FilterError

COMMAND = (sys.executable, "-m", "engine.cli")
SECONDS = 20
"""The longest time that a test gives a question whose limit is some seconds, on a busy machine."""


@contextmanager
def in_time(seconds: float = SECONDS) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def shell(*arguments: str, **settings: object) -> subprocess.CompletedProcess[bytes]:
    """Runs a command in a process of its own."""
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [*COMMAND, *arguments],
        env=environment,
        check=False,
        **{"capture_output": True, "timeout": 120} | settings,
    )


def test_where_bombs_of_lambdas(shop: Path) -> None:
    reader = Recommender.load(shop)
    for depth in (1, 10, 14, 200):
        condition = "list_transform([1], lambda x: " * depth + "x" + ")" * depth + " is null"
        with in_time(), pytest.raises(FilterError):
            reader.recommend("R001", 3, where=condition)


BOMBS = (
    "length(replace(replace(concat(title, '{a}'), 'a', '{a}'), 'a', '{a}')) > 5",
    "length(repeat(repeat(repeat(title, 1000), 1000), 1000)) > 5",
    "levenshtein(repeat(title, 100000), repeat(title, 100000)) > 5",
    "length(regexp_replace(repeat(title, 100000), '(a|b|.)*', '{a}', 'g')) > 5",
    "length(lpad(title, 2000000000, 'x')) > 5",
    "len(range(1000000000)) > 5",
    "len(string_split(repeat(title, 10000000), '')) > 5",
    "(select count(*) from range(1000000000000)) > 5",
    "length(format('{{:>2000000000}}', title)) > 5",
    "length(printf('%2000000000s', title)) > 5",
    "list_sum(generate_series(1, 1000000000)) > 5",
    "length(concat({many})) > 5",
    "{deep}true{ends}",
    "title like '{percents}'",
    "length(bar(1, 0, 1, 1000000000)) > 5",
    "length(array_to_string(range(100000000), ',')) > 5",
)


ASKED = """
import json, resource, sys, time
from engine import Engine
from engine.errors import FilterError
reader = Engine.load("ix")
for bomb in json.load(sys.stdin):
    started = time.monotonic()
    try:
        reader.recommend("R001", 3, where=bomb)
    except FilterError as error:
        assert "\\n" not in str(error)
    print(time.monotonic() - started)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""
"""Asks for a list under each condition, and prints the seconds of each and the peak of memory in MB."""


@pytest.mark.slow
def test_where_bombs(shop: Path) -> None:
    given = {"a": "a" * 900, "many": ", ".join(["title"] * 20_000), "percents": "%a" * 5_000}
    bombs = [bomb.format(**given, deep="not (" * 5_000, ends=")" * 5_000) for bomb in BOMBS]
    done = subprocess.run(
        [sys.executable, "-c", ASKED],
        input=json.dumps(bombs),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30)),
    )
    assert done.returncode == 0, done.stderr[-500:]
    *seconds, megabytes = map(float, done.stdout.split())
    assert len(seconds) == len(BOMBS)
    assert max(seconds) < SECONDS, dict(zip(BOMBS, seconds, strict=True))
    assert megabytes < 2500


def test_ordinary_conditions_go_on_working(shop: Path) -> None:
    reader = Recommender.load(shop)
    for condition in (
        "price < 10",
        "price between 2 and 30 and year > 1950",
        "title ilike '%film 1%' or lower(title) like 'film 2%'",
        "category like '%Drama%' and not contains(title, 'Film 3')",
        "coalesce(price, 0) < 20 and movie_count >= 2",
        "regexp_matches(title, 'Film [12]')",
        "year in (1951, 1952, 1953) or abs(price - 5.5) < 2",
        "length(title) > 3 and title is not null and starts_with(title, 'Film')",
    ):
        assert len(reader.recommend("R001", 3, where=condition)) > 0, condition


LONG = (
    "-" * 100_000,
    " " * 100_000,
    "(" * 100_000,
    "[DVD] " * 20_000,
    "1" * 100_000,
    "a b" * 40_000,
    "<a " * 40_000,
)


def test_title_regex_hang(engine: Engine, shop: Path) -> None:
    lines = [{"asin": f"Z{n}", "title": f"A{text}B", "description": [text]} for n, text in enumerate(LONG)]
    write("m.json", json_lines([*lines, {"asin": "Z99", "title": "Fine film", "description": ["d"]}]))
    with in_time():
        said = engine("add-movies", "m.json", "--index", shop)
    assert said.code == 0, said
    for text in ("-" * 20_000, *LONG):
        with in_time():
            assert engine("similar", "movie", "--index", shop, "--title", f"a{text}b").code in (0, 1)


def test_long_titles_of_reviews_and_movies_are_read_in_time(engine: Engine) -> None:
    write("r.csv", table(ROWS))
    write(
        "m.json",
        json_lines({"asin": f"m{n}", "title": f"A{text}B", "details": text} for n, text in enumerate(LONG)),
    )
    with in_time():
        said = engine("prepare", "r.csv", "--metadata", "m.json", "--output", "o.parquet")
    assert said.code == 0, said


@pytest.mark.slow
def test_escape_codes_to_terminal(shop: Path) -> None:
    write("h.csv", "user\x1b[31mX,mov\x1b]0;P\x07ie,r\n1,2,3\n")
    write("ids", "\x1b[31mXX\nM001\n")
    write("ok.csv", table([("a\x1b[2J", "m\x9b1m", 3), ("b", "m\x9b1m", 4)], "user,movie,rating\x1b[31m"))
    Path("evil\x1b[31m.csv").write_text(table(ROWS, "user,x\x1b[31m,y,z"))
    for arguments in (
        ("prepare", "h.csv", "--output", "o.csv"),
        ("prepare", "evil\x1b[31m.csv", "--output", "o.csv"),
        ("prepare", "no\x1b[31m.csv", "--output", "o.csv"),
        ("prepare", "ok.csv", "--output", "o\x1b[31m.csv", "--min-reviews-per-reviewer", "1"),
        ("recommend", "reviewer", "R001", "--index", str(shop), "--exclude", "ids", "-k", "1"),
        ("recommend", "reviewer", "R\x1b[31m", "--index", str(shop), "--fallback", "popular"),
        ("similar", "movie", "\u202eM1", "--index", str(shop)),
        ("similar", "movie", "--title", "\x1b]0;x\x07", "--index", str(shop)),
        ("nothing\x1b[31m",),
        ("recommend", "reviewer", "R001", "--index", str(shop), "--where", "\x1b[31mx = 1"),
    ):
        done = shell(*arguments)
        said = (done.stdout + done.stderr).decode()
        odd = {character for character in said.replace("\n", "") if not character.isprintable()}
        assert not odd, (arguments, odd)
        assert "Traceback" not in said


@pytest.mark.slow
def test_stdout_full(shop: Path) -> None:
    asked = ("recommend", "reviewer", "R001", "--index", str(shop))
    with Path("/dev/full").open("wb") as full:
        for arguments in (asked, (*asked, "--json"), ("info", "--index", str(shop)), ("--help",)):
            done = shell(*arguments, capture_output=False, stdout=full, stderr=subprocess.PIPE)
            assert done.returncode == 1, done
            assert len(done.stderr.splitlines()) <= 2
            assert b"Traceback" not in done.stderr
            assert b"Exception ignored" not in done.stderr
    line = " ".join([*COMMAND, *asked])
    closed = subprocess.run(f"{line} >&-", shell=True, capture_output=True, check=False)
    assert b"Traceback" not in closed.stderr
    assert len(closed.stderr.splitlines()) <= 2
    piped = subprocess.run(
        ["bash", "-c", f"{line} --json -k 40 | head -1; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        check=False,
    )
    assert piped.returncode in (0, 1, 141)
    assert b"Traceback" not in piped.stderr


@pytest.mark.parametrize(
    "size", ["999999999999999999TB", "0", "-1GB", "4 apples", "", "1e400GB", "9" * 400 + "GB"]
)
def test_a_limit_of_memory_that_cannot_be(engine: Engine, size: str) -> None:
    write("r.csv", table(ROWS))
    assert engine("prepare", "r.csv", "--output", "o.parquet", "--memory-limit", size).sentence


@pytest.mark.slow
def test_surrogate_tracebacks(shop: Path) -> None:
    index = ("--index", str(shop))
    odd = os.fsdecode(b"\xff")
    for arguments in (
        ("similar", "movie", *index, "--title", f"zqzq{odd}"),
        ("recommend", "reviewer", odd, "--fallback", "popular", "--json", *index),
        ("recommend", "reviewer", odd, *index),
        ("recommend", "ratings", f"{odd}=3", "M001=5", "--json", *index),
        ("recommend", "reviewer", "R001", *index),
        ("recommend", "reviewer", "R001", *index, "--where", f"title = '{odd}'"),
        ("info", "--json", *index),
        ("info", *index),
        ("prepare", f"{odd}.csv", "--output", f"{odd}.parquet"),
    ):
        done = shell(*arguments)
        said = done.stderr.decode()
        assert "Traceback" not in said, arguments
        assert done.returncode in (0, 1), arguments
        if "--json" in arguments and done.returncode == 0:
            json.loads(done.stdout)


@pytest.mark.parametrize("k", ["0", "-1", "9" * 400, "1e3", "ten", "True", str(10**18), "1.5", "\u0663"])
def test_numbers_that_cannot_be_a_k(engine: Engine, shop: Path, k: str) -> None:
    said = engine("recommend", "reviewer", "R001", "--index", shop, "-k", k)
    assert said.code in (0, 1, 2)
    assert "Traceback" not in said.log


@pytest.mark.parametrize("k", [0, -1, 10**400, 1.5, True, None, "3", float("nan"), float("inf")])
def test_numbers_that_cannot_be_a_k_in_python(shop: Path, k: object) -> None:
    with pytest.raises((EngineError, TypeError)):
        Recommender.load(shop).recommend("R001", k)  # type: ignore[arg-type]


@pytest.mark.parametrize("odd", [True, 10**400, None, 1.5, b"M001", ("M001",)])
def test_ids_that_are_no_text(shop: Path, odd: object) -> None:
    reader = Recommender.load(shop)
    for ask in (
        lambda: reader.recommend(odd, 3),
        lambda: reader.similar(odd, 3),
        lambda: reader.recommend_for({odd: 5}),
    ):  # type: ignore[arg-type, dict-item]
        with pytest.raises((EngineError, TypeError)):
            ask()


def test_ids_that_begin_with_a_dash_are_explained(engine: Engine, shop: Path) -> None:
    said = engine("recommend", "reviewer", "-17", "--index", shop)
    assert said.code in (1, 2)
    assert "--" in said.log.replace("--help", "").replace("--index", "")
    assert "-17" in engine("recommend", "reviewer", "--index", shop, "--", "-17").sentence
