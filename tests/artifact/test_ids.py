from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.artifact.ids import IdTable, build_id_arrays
from engine.errors import ArtifactCorruptError, DataError


def make_table(ids: list[str]) -> IdTable:
    return IdTable(*build_id_arrays(sorted(ids, key=lambda text: text.encode())))


@given(st.sets(st.text(max_size=8)), st.lists(st.text(max_size=8)))
def test_an_id_table_agrees_with_a_dictionary(held: set[str], asked: list[str]) -> None:
    ordered = sorted(held, key=lambda text: text.encode())
    oracle = {text: row for row, text in enumerate(ordered)}
    table = make_table(ordered)
    asked = asked + ordered
    assert table.rows(asked).tolist() == [oracle.get(text, -1) for text in asked]
    assert [table.row(text) for text in asked] == [oracle.get(text) for text in asked]
    assert table.ids(range(len(table))) == ordered == list(table)
    assert len(table) == len(held)


def test_long_unicode_and_newline_ids_are_ids_like_any_other(tmp_path: Path) -> None:
    ids = ["A" * 10_000, "zwei\nZeilen", "映画", "é", "e\u0301", "", "a\x00", "a"]
    data, offsets = build_id_arrays(sorted(ids, key=lambda text: text.encode()))
    np.save(tmp_path / "data.npy", data)
    np.save(tmp_path / "offsets.npy", offsets)
    table = IdTable(
        np.load(tmp_path / "data.npy", mmap_mode="r"), np.load(tmp_path / "offsets.npy", mmap_mode="r")
    )
    assert sorted(table) == sorted(ids)
    assert all(table.id(table.rows([text])[0]) == text for text in ids)
    assert table.row("\udcff") is None


def test_an_empty_table_holds_nothing() -> None:
    table = make_table([])
    assert len(table) == 0
    assert table.row("A") is None
    assert table.rows(["A", "B"]).tolist() == [-1, -1]
    assert table.close_matches("A") == []


@pytest.mark.parametrize("row", [-1, 2])
def test_a_row_outside_the_table_is_refused(row: int) -> None:
    with pytest.raises(IndexError):
        make_table(["A", "B"]).id(row)


@pytest.mark.parametrize("ids", [["B", "A"], ["A", "A"]])
def test_ids_out_of_order_or_repeated_are_refused(ids: list[str]) -> None:
    with pytest.raises(DataError, match="byte order"):
        build_id_arrays(ids)


def test_offsets_that_do_not_fit_are_refused() -> None:
    data, offsets = build_id_arrays(["A", "B"])
    with pytest.raises(ArtifactCorruptError):
        IdTable(data[:-1], offsets).id(1)
    for damaged in ([0, -1, 2], [0, 2**40, 2], [2**40, 1, 2]):
        with pytest.raises(ArtifactCorruptError):
            IdTable(data, np.array(damaged)).ids([0, 1])


@pytest.mark.parametrize(
    "typed",
    [
        "a1cw3nlh9mbqry",
        " A1CW3NLH9MBQRY ",
        "A1CW3NLH9MBQR",
        "B1CW3NLH9MBQRY",
        "A1WC3NLH9MBQRY",
        "A1CW3NLH9MBQRYY",
    ],
)
def test_a_mistyped_id_finds_the_one_meant(typed: str) -> None:
    generator = np.random.default_rng(7)
    letters = list("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    others = ["A" + "".join(generator.choice(letters, size=13)) for _ in range(2_000)]
    table = make_table([*others, "A1CW3NLH9MBQRY"])
    assert table.close_matches(typed)[0] == "A1CW3NLH9MBQRY"


def test_nothing_alike_gives_no_matches_and_long_ids_cost_nothing() -> None:
    table = make_table(["A1", "B2", "x" * 10_000])
    assert table.close_matches("something else altogether") == []
    assert table.close_matches("y" * 10_000) == []
    assert table.close_matches("X" * 10_000) == ["x" * 10_000]
