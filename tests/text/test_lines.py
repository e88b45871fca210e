from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SourceError
from pipelines.text import lines as lines_module
from pipelines.text.lines import BlockReader
from pipelines.text.streams import PLAIN, TextForm
from pipelines.work.parallel import read_ahead

GZIP = TextForm("gzip")
LINE = st.characters(codec="utf-8", exclude_characters="\r\n")


@given(
    lines=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30).map(str.encode)
    ),
    compressed=st.booleans(),
    block_size=st.integers(1, 60),
    final_newline=st.booleans(),
)
def test_the_blocks_are_the_file(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[bytes],
    compressed: bool,
    block_size: int,
    final_newline: bool,
) -> None:
    data = b"\n".join([b"first", *lines]) + (b"\n" if final_newline else b"")
    path = tmp_path_factory.mktemp("blocks") / "file"
    path.write_bytes(gzip.compress(data) if compressed else data)
    told: list[tuple[int, int]] = []
    reader = BlockReader(
        path,
        form=GZIP if compressed else PLAIN,
        block_size=block_size,
        on_read=lambda *more: told.append(more),
    )
    read = list(reader)
    assert b"".join(block.data for block in read) == data
    num_lines = data.count(b"\n") + (not data.endswith(b"\n"))
    assert tuple(map(sum, zip(*told, strict=True))) == (path.stat().st_size, num_lines)
    for block in read:
        assert data.split(b"\n")[block.first_line - 1] == block.data.split(b"\n")[0]


def test_several_gzip_members_and_padding_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "members.gz"
    path.write_bytes(gzip.compress(b"a\nb") + gzip.compress(b"c\nd\n") + b"\0" * 100)
    reader = BlockReader(path, form=GZIP)
    assert b"".join(block.data for block in reader) == b"a\nbc\nd\n"
    assert not reader.truncated


@pytest.mark.parametrize("cut", [1, 8, 9, 500])
def test_a_truncated_file_gives_its_whole_lines_and_says_so(tmp_path: Path, cut: int) -> None:
    lines = [f"{number * 7919 % 10007}" for number in range(5000)]
    packed = gzip.compress("\n".join(lines).encode() + b"\n")
    path = tmp_path / "cut.gz"
    path.write_bytes(packed[:-cut])
    reader = BlockReader(path, form=GZIP, block_size=1000)
    text = b"".join(block.data for block in reader).decode()
    assert reader.truncated
    assert text.endswith("\n")
    assert text.split("\n")[:-1] == lines[: text.count("\n")]


def test_damage_within_gzip_data_is_an_error(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"line\n" * 10_000))
    packed[20] ^= 0xFF
    path = tmp_path / "damaged.gz"
    path.write_bytes(packed)
    with pytest.raises(SourceError, match="damaged"):
        list(BlockReader(path, form=GZIP))


def test_a_line_without_end_is_an_error_and_not_a_full_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines_module, "MAX_LINE", 1 << 20)
    path = tmp_path / "endless"
    path.write_bytes(b"short\n" + b"x" * (3 << 20))
    with pytest.raises(SourceError, match=r"Line 2 of .* is longer than 1 MB") as raised:
        list(BlockReader(path, block_size=1 << 18))
    assert raised.value.line == 2


def test_reading_ahead_keeps_the_order_and_hands_over_errors() -> None:
    def items() -> Iterator[int]:
        yield from range(10)
        raise SourceError("broken")

    seen = []
    ahead = read_ahead(items())
    for _ in range(10):
        seen.append(next(ahead))
    with pytest.raises(SourceError, match="broken"):
        next(ahead)
    assert seen == list(range(10))


def test_reading_ahead_stops_when_nobody_reads_on() -> None:
    ahead = read_ahead(itertools.count())
    assert next(ahead) == 0
    ahead.close()  # type: ignore[attr-defined]
