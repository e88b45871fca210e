"""Text is read whatever its compression and encoding, and what is no text is refused with advice."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest

from engine.errors import SourceError
from pipelines.text.kinds import form_of
from pipelines.text.lines import BlockReader
from pipelines.text.streams import TextForm

LINES = "".join(f"u{n},m{n % 7},{n % 5 + 1},café “{n}”\n" for n in range(2000))


def zipped(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


def tarred(data: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        facts = tarfile.TarInfo("reviews.csv")
        facts.size = len(data)
        archive.addfile(facts, io.BytesIO(data))
    return target.getvalue()


PACKERS = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": lambda data: zipped(reviews=data),
}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")

REFUSED = [
    (b"\x28\xb5\x2f\xfd" + b"x" * 50, r"compressed with zstd.*zstd -d "),
    (tarred(b"a,b\n"), r"is a tar archive.*tar xf "),
    (gzip.compress(tarred(b"a,b\n")), r"is a tar archive.*tar xf "),
    (b"7z\xbc\xaf\x27\x1c....", "7z x"),
    (b"Rar!\x1a\x07....", "unrar x"),
    (gzip.compress(gzip.compress(b"a,b\n")), r"packed twice \(gzip inside\)"),
    (gzip.compress(b"PAR1...."), "a compressed Parquet file"),
    (zipped(a=b"x", b=b"y"), r"a zip archive of 2 files \(a, b\).*unzip "),
    (zipped(**{"[Content_Types].xml": b"x", "xl/a": b"y"}), "an Excel workbook"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "an Excel workbook"),
    (b"SQLite format 3\0....", "an SQLite database.*sqlite3 -header -csv"),
    (b"ARROW1\0\0....", "an Arrow file"),
    (b"\x89HDF\r\n\x1a\n....", "an HDF5 file"),
    (b"\x80\x04\x95....", "a Python pickle"),
    (b"\x93NUMPY....", "a NumPy array"),
    (b" <!DOCTYPE html><html>", "a web page"),
    (b"\x00\x01\x02\x03binary\n", "is not a text file"),
    (b"PK\x03\x04....", "damaged or ends too early"),
]
"""The bytes of files that are refused, each with a part of the error."""


def lines_in(path: Path) -> tuple[str, BlockReader]:
    reader = BlockReader(path, form=form_of(path, path), block_size=5000)
    return b"".join(block.data for block in reader).decode(), reader


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("packing", PACKERS)
def test_every_compression_and_encoding_gives_the_same_lines(
    tmp_path: Path, packing: str, encoding: str
) -> None:
    path = tmp_path / "reviews"
    path.write_bytes(PACKERS[packing](LINES.encode(encoding)))
    text, reader = lines_in(path)
    assert text == LINES
    assert (reader.num_lines, reader.num_foreign, reader.truncated) == (2000, 0, False)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"a\rb\rc\r", ["a", "b", "c"]),
        (b"a\r\nb\r\r\nc", ["a", "b", "c"]),
        (b"a\rb\nc\x0cd\x85\n", ["a\rb", "c\x0cd…"]),
        ("a\x85b\u2028c\n".encode(), ["a\x85b\u2028c"]),
        ("é\n".encode() + b"\xe9\x81\n" + "é".encode(), ["é", "é\x81", "é"]),
    ],
)
def test_only_line_feeds_and_carriage_returns_end_a_line(
    tmp_path: Path, text: bytes, lines: list[str]
) -> None:
    path = tmp_path / "lines"
    path.write_bytes(text)
    assert lines_in(path)[0].split("\n")[: len(lines)] == lines


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "xz"])
@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_truncated_file_gives_its_whole_lines(tmp_path: Path, packing: str, cut: int) -> None:
    # Each member holds 100 lines, since bzip2 gives nothing of a block that is cut off.
    parts = [LINES[start : start + 2000] for start in range(0, len(LINES), 2000)]
    path = tmp_path / "cut"
    path.write_bytes(b"".join(PACKERS[packing](part.encode()) for part in parts)[:-cut])
    text, reader = lines_in(path)
    assert reader.truncated
    assert text.endswith("\n")
    assert LINES.startswith(text)
    assert len(text) > len(LINES) - 2 * 2000


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_one_line_in_utf_16_does_not_change_how_the_others_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "rows.csv"
    lines = [f"u{number},m{number},5\n".encode() for number in range(11)]
    lines[4] = "u4,m4,5".encode(encoding) + b"\n"
    path.write_bytes(b"".join(lines))
    text, _ = lines_in(path)
    assert [line.replace("\0", "") for line in text.splitlines()] == [f"u{n},m{n},5" for n in range(11)]


@pytest.mark.parametrize(("data", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_is_no_text_is_refused_with_advice(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "my reviews"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=message) as raised:
        form_of(path, path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zip"])
def test_a_name_that_promises_another_compression_is_said(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"reviews.csv{ending}"
    path.write_text("user,item\n")
    with pytest.raises(SourceError, match=f"is named {ending} but holds no"):
        form_of(path, path)


def test_damage_within_compressed_data_is_an_error(tmp_path: Path) -> None:
    for packing in ("gzip", "bzip2", "xz", "zip"):
        packed = bytearray(PACKERS[packing](LINES.encode()))
        packed[len(packed) // 2] ^= 0xFF
        path = tmp_path / packing
        path.write_bytes(packed)
        with pytest.raises(SourceError, match="damaged"):
            lines_in(path)
    assert TextForm() == form_of(_plain(tmp_path), _plain(tmp_path))


def _plain(folder: Path) -> Path:
    path = folder / "plain"
    path.write_text("a null \0 in a text spoils nothing\n")
    return path
