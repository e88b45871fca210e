"""JSON of any shape becomes one object a line, and damage costs the damaged object alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.text.documents import VALUES, DocumentReader, framing_of
from pipelines.text.kinds import form_of
from pipelines.text.repairs import parse

ROWS: list[dict[str, Any]] = [
    {"user": f"u{n % 5}", "item": f"m{n}", "text": 'a "b", {c} ], é \\ [', "tags": [{"id": n}, {"id": "x"}]}
    for n in range(40)
]
VALUE = st.text(max_size=5) | st.none() | st.lists(st.integers(-9999, 9999))
SHAPES: dict[str, tuple[Callable[[Sequence[Any]], str], str]] = {
    "a list on one line": (json.dumps, VALUES),
    "a list of one object a line": (lambda rows: "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", VALUES),
    "an indented list": (lambda rows: json.dumps(rows, indent=2), VALUES),
    "indented objects": (lambda rows: "\n".join(json.dumps(row, indent=1) for row in rows), VALUES),
    "objects without line ends": (lambda rows: "".join(map(json.dumps, rows)), VALUES),
    "objects with commas": (lambda rows: ", ".join(map(json.dumps, rows)), VALUES),
    "a document": (lambda rows: json.dumps({"count": 3, "reviews": rows, "next": None}), "reviews"),
    "an indented document": (lambda rows: json.dumps({"reviews": rows}, indent=1), "reviews"),
    "a list of literals": (lambda rows: repr(list(rows)), VALUES),
    "a document of literals": (lambda rows: repr({"reviews": list(rows)}), "reviews"),
    "lines": (lambda rows: "".join(f"{json.dumps(row)}\n" for row in rows), ""),
    "lines of literals": (lambda rows: "".join(f"{row!r}\n" for row in rows), ""),
}


def reader_of(path: Path, framing: str, block_size: int = 8 << 20) -> DocumentReader:
    return DocumentReader(path, file=path, form=form_of(path, path), framing=framing, block_size=block_size)


def values_in(reader: DocumentReader) -> list[Any]:
    return [parse(line) for block in reader for line in block.data.decode().split("\n")]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("block_size", [7, 1000, 8 << 20])
def test_every_shape_gives_the_same_objects(tmp_path: Path, shape: str, block_size: int) -> None:
    write, framing = SHAPES[shape]
    text = write(ROWS)
    assert framing_of(text, whole=True) == framing
    if framing == VALUES:
        assert framing_of(text[: len(text) // 2], whole=False) == framing
    path = tmp_path / "rows.json"
    path.write_text(text)
    if framing:
        reader = reader_of(path, framing, block_size)
        assert values_in(reader) == ROWS
        assert reader.num_lines == len(ROWS)


def test_a_long_document_is_recognised_by_its_start() -> None:
    text = json.dumps({"fields": [{"name": "user"}], "reviews": ROWS})
    assert framing_of(text[:-500], whole=False) == "reviews"


@pytest.mark.parametrize(
    "text",
    [
        '["u1", "m1", 5]\n["u2", "m1", 4]\n',
        '{"user": "u1", "images": [{"url": "x"}], "item": "m1"}\n',
        '{"user": "u1"\n{"user": "u2"}\n',
        "user,item\n",
        "",
    ],
)
def test_other_text_is_read_by_lines(text: str) -> None:
    assert framing_of(text, whole=True) == ""


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace('"item": "m7"', '"item": m7"'),
        lambda text: text.replace('"item": "m7"', '"item": "m7'),
        lambda text: text.replace('"m7", ', '"m7" ').replace('"m7",', '"m7"'),
        lambda text: text.replace('{"id": 7}', '{"id": 7').replace('"id": 7\n', '"id": \n'),
    ],
)
def test_a_damaged_object_is_one_line_and_costs_no_other(
    tmp_path: Path, indent: int | None, damage: Callable[[str], str]
) -> None:
    path = tmp_path / "rows.json"
    path.write_text(damage(json.dumps(ROWS, indent=indent)))
    reader = reader_of(path, VALUES, 500)
    found = values_in(reader)
    assert [value for value in found if value is not None] == [*ROWS[:7], *ROWS[8:]]
    assert found.index(None) == 7
    assert reader.num_lines == len(found) == 40


@pytest.mark.parametrize("block_size", [7, 1000, 8 << 20])
def test_closing_brackets_too_many_change_no_count(tmp_path: Path, block_size: int) -> None:
    path = tmp_path / "rows.json"
    rows = [{"user": row["user"], "item": row["item"]} for row in ROWS]
    rest = json.dumps(rows)[1:]
    path.write_text(rest + rest + "]}" + rest)
    reader = reader_of(path, VALUES, block_size)
    assert values_in(reader) == 3 * rows
    assert reader.num_lines == 3 * len(rows)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'item': 'm7'", "'item': 'it's m7'"),
        ("'item': 'm7'", "'item': 'm7"),
        ("{'id': 7}", "{'id': 7"),
        ("{'id': 7}, {'id': 'x'}]", "{'id': 7}, {'id': 'x'}"),
        ("{'id': 7}, {'id': 'x'}]", "{'id': 7}, {'id': 'x'}}"),
        ("{'id': 7}, {'id': 'x'}], 'pair': (1, {'b': 2})}", "{'id': 7}, {'id': 'x'}], 'pair': (1, {'b': 2})"),
    ],
)
def test_a_damaged_literal_costs_no_other(tmp_path: Path, old: str, new: str) -> None:
    rows = [{**row, "pair": (1, {"b": 2})} for row in ROWS]
    text = repr(rows)
    assert text.count(old) == 1
    path = tmp_path / "rows.json"
    path.write_text(text.replace(old, new))
    reader = reader_of(path, VALUES, 500)
    found = values_in(reader)
    assert [value for value in found if value is not None] == [*rows[:7], *rows[8:]]
    assert reader.num_lines == len(found) == 40


@pytest.mark.parametrize("start", ['{"a":', "{'a': ", '[{"b" :\n', '{"user":'])
@pytest.mark.parametrize("block_size", [50_000, 8 << 20])
def test_objects_that_are_nested_too_deeply_cost_no_other(
    tmp_path: Path, start: str, block_size: int
) -> None:
    text = json.dumps(ROWS)
    place = text.index('{"user"', 2000)
    path = tmp_path / "rows.json"
    path.write_text(text[:place] + start * 30_000 + text[place:])
    reader = reader_of(path, VALUES, block_size)
    found = values_in(reader)
    assert [value for value in found if value is not None] == ROWS
    assert reader.num_lines == len(found) == 41


@given(
    rows=st.lists(st.dictionaries(st.text(max_size=3), VALUE), min_size=1),
    indent=st.none() | st.integers(0, 2),
    block_size=st.integers(1, 40),
)
def test_any_list_of_objects_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], indent: int | None, block_size: int
) -> None:
    path = tmp_path_factory.mktemp("list") / "rows.json"
    path.write_text(json.dumps(rows, indent=indent))
    reader = reader_of(path, VALUES, block_size)
    assert values_in(reader) == rows
    assert reader.num_lines == len(rows)
