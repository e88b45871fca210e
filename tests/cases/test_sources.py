"""Where bytes come from: pipes, standard input, compressed files, and names that have a meaning to DuckDB."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from command_runs import Engine, Prepare
from invented_files import NUM_ROWS, ROWS, TITLES, amazon, json_lines, table, write

Case = Callable[[str], None]


@contextmanager
def pipe(data: bytes) -> Iterator[str]:
    """Gives the path of a pipe into which another thread writes, as a shell does for `<(cat FILE)`."""
    reading, writing = os.pipe()

    def feed() -> None:
        with os.fdopen(writing, "wb") as file, suppress_broken_pipe():
            file.write(data)

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    try:
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)
        thread.join()


@contextmanager
def suppress_broken_pipe() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        return


@contextmanager
def standard_input(data: bytes) -> Iterator[None]:
    """Puts a pipe in the place of this process's standard input."""
    kept = os.dup(0)
    with pipe(data) as path:
        os.dup2(int(path.rpartition("/")[2]), 0)
        try:
            yield
        finally:
            os.dup2(kept, 0)
            os.close(kept)


@pytest.mark.parametrize(("name", "rows"), [("big.jsonl", 24_000), ("small.jsonl", 480), ("small.csv", 480)])
def test_pipe_loses_rows(case: Case, prepare: Prepare, name: str, rows: int) -> None:
    case("pipe_loses_rows")
    with pipe(Path(name).read_bytes()) as path:
        assert prepare(path).counts == (rows, rows, 0)


def test_pipe_loses_rows_of_standard_input(case: Case, prepare: Prepare) -> None:
    case("pipe_loses_rows")
    with standard_input(Path("small.jsonl").read_bytes()):
        assert prepare("/dev/stdin").counts == (480, 480, 0)


def test_pass_brackets_in_names(case: Case, prepare: Prepare) -> None:
    case("pass_brackets_in_names")
    for name in ("r[1].csv", "r.jsonl", "r*.parquet"):
        assert prepare(f"data [v2]/{name}").counts == (480, 480, 0)


def write_parquet(name: str, label: str, count: int) -> None:
    duckdb.sql(
        f"select '{label}' || (i % 5) as reviewer_id, 'M' || (i // 5) as movie_id, 1 + i % 5 as rating, "
        f"1300000000 + i as timestamp from range({count}) t(i)"
    ).write_parquet("written.parquet")
    Path("written.parquet").rename(name)


def test_parquet_glob(prepare: Prepare) -> None:
    write_parquet("rev1.parquet", "WRONG", 35)
    write_parquet("rev[123].parquet", "RIGHT", 20)
    write_parquet("rev?.parquet", "MARK", 35)
    write_parquet("rev*.parquet", "STAR", 15)
    for name, label, count in (("rev[123]", "RIGHT", 20), ("rev?", "MARK", 35), ("rev*", "STAR", 15)):
        done = prepare(f"{name}.parquet", "--min-reviews-per-reviewer", "1", "--min-reviews-per-movie", "1")
        assert done.counts == (count, count, 0)
        assert {reviewer[:-1] for (reviewer,) in done.sql("select reviewer_id from prepared")} == {label}


# Other inputs of the same kinds.


def test_dash_is_standard_input(prepare: Prepare) -> None:
    data = gzip.compress(json_lines(map(amazon, ROWS)).encode())
    with standard_input(data):
        assert prepare("-", stdin=data).counts == (NUM_ROWS, NUM_ROWS, 0)


def test_metadata_comes_through_a_pipe(prepare: Prepare) -> None:
    write("r.csv", table(ROWS))
    movies = table(TITLES.items(), "movieId,title").encode()
    with standard_input(movies):
        done = prepare("r.csv", "--metadata", "-", stdin=movies)
    assert done.sql("select count(distinct title) from prepared") == [(len(TITLES),)]
    with pipe(movies) as path:
        done = prepare("r.csv", "--metadata", path)
    assert done.sql("select count(distinct title) from prepared") == [(len(TITLES),)]


def test_standard_input_cannot_be_read_twice(engine: Engine) -> None:
    with standard_input(table(ROWS).encode()):
        said = engine("prepare", "-", "--metadata", "-", "--output", "o.parquet")
    assert "standard input" in said.sentence


@pytest.mark.parametrize("command", ["explore", "plan"])
def test_other_commands_read_pipes(engine: Engine, command: str) -> None:
    with pipe(table(ROWS).encode()) as path:
        said = engine(command, path)
    assert said.code == 0, said
    assert str(NUM_ROWS) in said.stdout


def test_a_named_pipe_is_read_to_its_end(prepare: Prepare) -> None:
    os.mkfifo("reviews.pipe")
    rows = json_lines(map(amazon, ROWS * 30)).encode()
    thread = threading.Thread(target=Path("reviews.pipe").write_bytes, args=(rows,), daemon=True)
    thread.start()
    done = prepare("reviews.pipe")
    thread.join()
    assert done.counts == (30 * NUM_ROWS, NUM_ROWS, 0)


def zipped(data: bytes, *names: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, data)
    return held.getvalue()


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("r.csv.bz2", bz2.compress),
        ("r.csv.xz", lzma.compress),
        ("r.zip", lambda data: zipped(data, "r.csv")),
        ("r.csv.gz", lambda data: gzip.compress(data[:500]) + gzip.compress(data[500:])),
    ],
)
def test_packed_files_are_read_or_the_command_that_unpacks_them_is_said(
    engine: Engine, name: str, pack: Callable[[bytes], bytes]
) -> None:
    write(name, pack(table(ROWS).encode()))
    said = engine("prepare", name, "--output", "o.parquet")
    if said.code == 0:
        assert f"{NUM_ROWS} rows read = {NUM_ROWS} kept" in said.stdout
    else:
        assert name in said.sentence
        assert any(f"{tool} " in said.sentence for tool in ("bunzip2", "bzip2 -d", "xz -d", "unzip"))


def test_archives_that_are_not_read_are_refused_with_the_command_that_unpacks_them(engine: Engine) -> None:
    data = table(ROWS).encode()
    write("two.zip", zipped(data, "a.csv", "b.csv"))
    write("r.csv.zst", b"\x28\xb5\x2f\xfd" + bytes(40))
    with tarfile.open("r.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("r.csv")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    Path("r.tar").write_bytes(gzip.decompress(Path("r.tar.gz").read_bytes()))
    for name, command in (
        ("two.zip", "unzip"),
        ("r.csv.zst", "zstd -d"),
        ("r.tar", "tar "),
        ("r.tar.gz", "tar "),
    ):
        assert command in engine("prepare", name, "--output", "o.parquet").sentence


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (gzip.compress(gzip.compress(table(ROWS).encode())), "gzip"),
        (b"PK\x03\x04" + b"\0" * 26 + b"[Content_Types].xml" + b"\0" * 200, "zip|xlsx|Excel"),
        (b"SQLite format 3\0" + b"\0" * 200, "SQLite"),
        (b"ARROW1\0\0" + b"\0" * 200, "Arrow|Feather"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 200, "Excel|xls"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 200, "HDF"),
        (b"\x93NUMPY\x01\x00v\x00" + b"\0" * 200, "NumPy"),
    ],
    ids=["gzip twice", "xlsx", "sqlite", "arrow", "xls", "hdf5", "npy"],
)
def test_files_that_are_no_text_are_called_by_their_name(engine: Engine, data: bytes, word: str) -> None:
    write("r.bin", data)
    sentence = engine("prepare", "r.bin", "--output", "o.parquet").sentence
    assert any(one in sentence for one in word.split("|")), sentence


def test_a_packed_file_that_ends_early_is_refused_or_read_to_its_last_whole_line(
    engine: Engine, prepare: Prepare
) -> None:
    whole = json_lines(map(amazon, ROWS))
    for name, pack in (("r.gz", gzip.compress), ("r.bz2", bz2.compress), ("r.xz", lzma.compress)):
        packed = pack(whole.encode())
        write(name, packed[: len(packed) - 30])
        said = engine("prepare", name, "--output", "o.parquet")
        assert any(word in said.sentence for word in ("allow-truncated", "fetch it again")), said
    read, kept, _ = prepare("r.gz", "--allow-truncated").counts
    assert NUM_ROWS > read > NUM_ROWS // 2
    assert kept > 0
