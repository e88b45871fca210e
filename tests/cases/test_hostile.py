"""An index from somebody else, or with an odd name: refused in one sentence, or used as any other."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from command_runs import Engine
from invented_files import json_lines, shop_movies

from engine import Engine as Recommender
from engine.errors import ArtifactError, EngineError

Manifest = dict[str, Any]

NEW_REVIEW = {"overall": 4, "reviewerID": "R001", "asin": "M001", "unixReviewTime": 1_600_000_000}


def build_of(index: Path) -> Path:
    [build] = index.glob("build-*")
    return build


def read_manifest(index: Path) -> Manifest:
    found: Manifest = json.loads((build_of(index) / "manifest.json").read_text())
    return found


def publish(index: Path, manifest: Manifest | bytes) -> None:
    """Writes a manifest and makes it the one that CURRENT names, as somebody with bad intentions would."""
    data = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    build = build_of(index)
    (build / "manifest.json").write_bytes(data)
    (index / "CURRENT").write_text(f"{build.name} {hashlib.sha256(data).hexdigest()}\n")


def put_file(index: Path, manifest: Manifest, name: str, data: bytes) -> None:
    (build_of(index) / name).write_bytes(data)
    manifest["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def change_catalogue(index: Path, *statements: str) -> None:
    """Runs statements on the catalogue of an index, and makes the checksums fit."""
    shutil.copy(build_of(index) / "catalog.duckdb", "changed.duckdb")
    with duckdb.connect("changed.duckdb") as database:
        for statement in statements:
            database.execute(statement)
    manifest = read_manifest(index)
    put_file(index, manifest, "catalog.duckdb", Path("changed.duckdb").read_bytes())
    publish(index, manifest)


def refused(engine: Engine, index: Path) -> None:
    """Checks that every command that opens an index refuses this one in a sentence."""
    before = sorted(path for path in index.rglob("*") if path.name != ".lock")
    for command in (
        ("info", "--verify"),
        ("recommend", "reviewer", "R001", "--where", "price < 9"),
        ("add-movies", "new.json"),
    ):
        assert "Traceback" not in engine(*command, "--index", index).sentence
    assert sorted(path for path in index.rglob("*") if path.name != ".lock") == before


@pytest.fixture
def index(shop: Path) -> Path:
    Path("new.json").write_text(json_lines(shop_movies("X", 5)))
    Path("n.json").write_text(json.dumps(NEW_REVIEW) + "\n")
    Path("secret.txt").write_text("a secret of this machine")
    return shop


def test_hostile_index_reads_files(engine: Engine, index: Path) -> None:
    secret = Path("secret.txt").resolve()
    change_catalogue(
        index,
        "alter table movies rename to base_movies",
        f"create view movies as select * replace ((select content from read_text('{secret}')) as title) "
        "from base_movies",
    )
    refused(engine, index)
    reader = Recommender.load(index)
    assert "secret" not in str(reader.title("M001"))
    with pytest.raises(ArtifactError):
        reader.recommend("R001", 3, where="price < 9")


def test_hostile_index_copies_files(engine: Engine, index: Path) -> None:
    data = Path("secret.txt").read_bytes()
    for name in (
        f"../../{'../' * 20}{Path('secret.txt').resolve()}",
        "../../secret.txt",
        str(Path("secret.txt").resolve()),
    ):
        manifest = read_manifest(index)
        manifest["files"] = {
            known: about for known, about in manifest["files"].items() if "secret" not in known
        } | {name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}}
        publish(index, manifest)
        refused(engine, index)
    assert not [
        path
        for path in index.rglob("*")
        if path.is_file() and b"a secret" in path.read_bytes() and path.name != "manifest.json"
    ]


def odd_manifests() -> Iterator[tuple[str, Callable[[Manifest], object]]]:
    yield "no files", lambda m: m.pop("files")
    yield "no search", lambda m: m.pop("search")
    yield "max_history -1", lambda m: m["model"].update(max_history=-1)
    yield "candidates NaN", lambda m: m["search"].update(num_candidates=float("nan"))
    for section in ("model", "search", "config", "files"):
        for value in (None, [], "text", 7, {}):
            yield f"{section} {value!r}", lambda m, s=section, v=value: m.update({s: v})
    for number in (-1, 10**30, 1e308, float("inf"), "7", True, [1]):
        yield f"candidates {number}", lambda m, v=number: m["search"].update(num_candidates=v)
        yield f"dim {number}", lambda m, v=number: m["model"].update(embedding_dim=v)
        yield f"size {number}", lambda m, v=number: m["files"]["catalog.duckdb"].update(size=v)
    yield "recency NaN", lambda m: m["model"].update(recency_power=float("nan"))
    yield "no blend", lambda m: m["model"].pop("blend")
    yield "blend NaN", lambda m: m["model"]["blend"].update(like_weight=float("nan"))
    yield "levels", lambda m: m["model"].update(rating_levels=["1", None])
    yield "version", lambda m: m.update(format_version="1")
    yield "hash", lambda m: m["files"]["catalog.duckdb"].update(sha256=5)
    yield "file", lambda m: m["files"].update({"catalog.duckdb": "small"})
    yield "kind", lambda m: m["search"].update(kind="pickle")


SAME = frozenset({"candidates 10", "dim 7"})


def test_hostile_manifest(engine: Engine, index: Path) -> None:
    whole = read_manifest(index)
    expected = engine("recommend", "reviewer", "R001", "--index", index, "--json").stdout
    for name, change in odd_manifests():
        manifest = json.loads(json.dumps(whole))
        change(manifest)
        publish(index, manifest)
        said = engine("recommend", "reviewer", "R001", "--index", index, "--json")
        if said.code == 0:
            assert (name, said.stdout) == (name, expected)
        else:
            assert said.sentence.startswith("Error: "), name
    for data in (b"", b"[]", b"null", b"{" * 50_000, b'{"files":' * 20_000, b"\xff\xfe{}", b'{"a": 1}' * 2):
        publish(index, data)
        assert engine("recommend", "reviewer", "R001", "--index", index).sentence
        with pytest.raises(EngineError):
            Recommender.load(index)


@pytest.mark.parametrize(
    "name", ["CURRENT", "manifest.json", "movies.faiss", "movie_ids.npy", "catalog.duckdb"]
)
@pytest.mark.parametrize("kind", ["fifo", "directory", "link out", "endless"])
def test_files_of_an_index_that_are_no_files(engine: Engine, index: Path, name: str, kind: str) -> None:
    path = index / name if name == "CURRENT" else build_of(index) / name
    shutil.move(path, "moved")
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "link out":
        path.symlink_to(Path("moved").resolve())
    else:
        path.symlink_to("/dev/zero")
    for command in (("recommend", "reviewer", "R001", "--where", "price < 9"), ("info", "--verify")):
        said = engine(*command, "--index", index)
        assert said.sentence or kind == "link out"


def test_an_index_can_be_told_by_its_digest(engine: Engine, index: Path) -> None:
    digest = (index / "CURRENT").read_text().split()[1]
    assert digest in engine("info", "--index", index).stdout
    assert engine("info", "--index", index, "--expect", digest).code == 0
    assert digest[:8] in engine("info", "--index", index, "--expect", "0" * 64).sentence
    assert Recommender.load(index, expect=digest).title("M001")
    with pytest.raises(ArtifactError):
        Recommender.load(index, expect="0" * 64)


@pytest.mark.parametrize(
    "statements",
    [
        ("create view more as select 1",),
        ("create macro price() as 1",),
        ("create schema other", "create table other.movies as select 1"),
        ("alter table movies drop column title",),
        ("alter table movies alter title type integer using 1",),
        ("create table more as select 1",),
    ],
)
def test_a_catalogue_holds_the_expected_tables_and_nothing_else(
    engine: Engine, index: Path, statements: tuple[str, ...]
) -> None:
    change_catalogue(index, *statements)
    refused(engine, index)


ODD_NAMES = (
    "a?b",
    ":memory:",
    "md:x",
    "[x]*",
    'it\'s "q"',
    "100%",
    "two\nlines",
    " ",
    "d\udcff",
    "x" * 200,
    "-k",
)


def test_index_path_question_mark(engine: Engine, index: Path) -> None:
    expected = engine(
        "recommend", "reviewer", "R001", "--index", index, "--where", "price < 9", "--json"
    ).stdout
    for name in ODD_NAMES:
        shutil.copytree(index, name)
        said = engine("recommend", "reviewer", "R001", f"--index={name}", "--where", "price < 9", "--json")
        assert (name, said.stdout) == (name, expected), said
        assert engine("info", f"--index={name}", "--verify").code == 0


@pytest.mark.parametrize("name", ["a?b", ":memory:", "md:x", "[x]* 'q' %d\n"])
def test_index_path_question_mark_is_written_to(engine: Engine, index: Path, name: str) -> None:
    index.rename(name)
    for command in (("add-reviews", "n.json"), ("add-movies", "new.json"), ("reindex",)):
        said = engine(*command, "--index", name)
        assert said.code == 0, said
    assert Recommender.load(name).title("X001") == "Film 1 (1951)"
    assert engine("recommend", "reviewer", "R001", "--index", name, "--where", "price < 9").code == 0


def test_long_lived_reader(engine: Engine, index: Path) -> None:
    reader = Recommender.load(index)
    for number in range(3):
        review = NEW_REVIEW | {"asin": f"M00{number}", "unixReviewTime": 1_600_000_000 + number}
        Path("n.json").write_text(json.dumps(review) + "\n")
        said = engine("add-reviews", "n.json", "--index", index)
        assert said.code == 0, said
    assert len(reader.recommend("R001", 3)) == 3
    assert len(reader.recommend("R001", 3, where="price < 30")) == 3
    assert len(reader.recommend("x", 3, fallback="popular")) == 3
    assert reader.title("M001") == "Film 1 (1951)"
    assert reader.find_movie("Film 2").movie_id == "M002"
    assert len(reader.similar("M001", 3)) == 3
