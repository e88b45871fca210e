from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.artifact.ids import IdTable, build_id_arrays
from engine.model.histories import Histories
from pipelines.dataset.movie_figures import decayed_popularity
from pipelines.export.rows import ranks_of_new, replace_records, rows_beside
from pipelines.updating.merging import AddedReviews, merge_reviews

PAIRS = st.dictionaries(
    st.tuples(st.integers(0, 5), st.integers(0, 4)),
    st.tuples(st.integers(1, 9), st.integers(0, 2)),
    max_size=12,
)


def histories_of(
    pairs: dict[tuple[int, int], tuple[int, int]], num_reviewers: int
) -> tuple[Histories, np.ndarray]:
    rows = sorted((reviewer, when, movie, level) for (reviewer, movie), (when, level) in pairs.items())
    counts = np.bincount([row[0] for row in rows], minlength=num_reviewers) if rows else [0] * num_reviewers
    return Histories(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.array([row[2] for row in rows], dtype=np.int32),
        np.array([row[3] for row in rows], dtype=np.int8),
    ), np.array([row[1] for row in rows], dtype=np.int64)


@given(PAIRS, PAIRS)
def test_merged_histories_are_those_of_a_dictionary(
    old: dict[tuple[int, int], tuple[int, int]], new: dict[tuple[int, int], tuple[int, int]]
) -> None:
    new_rows = np.array([1, 4])
    old_rows = rows_beside(new_rows, 6)
    histories, times = histories_of(old, 6)
    rows = [(reviewer, movie, *what) for (reviewer, movie), what in new.items()]
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    new_reviews = AddedReviews(columns[0], columns[1], columns[3].astype(np.int8), columns[2])
    merged = merge_reviews(histories, times, old_rows, 8, new_reviews)
    expected = {(int(old_rows[reviewer]), movie): what for (reviewer, movie), what in old.items()}
    added = {pair for pair in new if pair not in expected}
    changed = {
        pair
        for pair, (when, level) in new.items()
        if pair in expected
        and (when > expected[pair][0] or (when == expected[pair][0] and level != expected[pair][1]))
    }
    expected |= {pair: new[pair] for pair in added | changed}
    found = merged.histories
    assert len(found) == 8
    assert {
        (reviewer, int(movie)): (int(when), int(level))
        for reviewer, movie, when, level in zip(
            found.places.tolist(), found.movie_rows, merged.times, found.level_rows, strict=True
        )
    } == expected
    assert len(found.movie_rows) == len(expected)
    assert {pair for pair, one in zip(new, merged.added, strict=True) if one} == added
    assert {pair for pair, one in zip(new, merged.replacing, strict=True) if one} == changed
    for reviewer in range(8):
        span = slice(found.offsets[reviewer], found.offsets[reviewer + 1])
        assert (np.diff(merged.times[span]) >= 0).all()


@given(st.sets(st.text(max_size=4), max_size=12), st.sets(st.text(max_size=4), max_size=12))
def test_new_ids_take_their_place_among_the_old_ones(old: set[str], new: set[str]) -> None:
    def key(text: str) -> bytes:
        return text.encode("utf-8", "surrogatepass")

    old = {text for text in old if text.isprintable()}
    joining = sorted({text for text in new if text.isprintable()} - old, key=key)
    data, offsets = build_id_arrays(sorted(old, key=key))
    ranks = ranks_of_new(IdTable(data, offsets), joining)
    merged = IdTable(*replace_records(data, offsets, ranks, [key(text) for text in joining], inserted=True))
    assert list(merged) == sorted(old | set(joining), key=key)


def test_records_are_replaced_by_longer_and_shorter_ones() -> None:
    data, offsets = build_id_arrays(["a", "bb", "ccc", "dddd"])
    merged, bounds = replace_records(data, offsets, np.array([1, 3]), [b"BBBBB", b""], inserted=False)
    texts = [bytes(merged[begin:end]) for begin, end in pairwise(bounds)]
    assert texts == [b"a", b"BBBBB", b"ccc", b""]


def test_popularity_fades_by_halves() -> None:
    day = 86_400
    rows, times = np.array([0, 0, 1, 2]), np.array([day, 11 * day, 11 * day, 6 * day])
    np.testing.assert_allclose(decayed_popularity(rows, times, 4, 5.0), [1.25, 1.0, 0.5, 0.0])
    np.testing.assert_allclose(decayed_popularity(rows, 0 * times, 4, 5.0), [2, 1, 1, 0])
    assert decayed_popularity(rows[:0], times[:0], 2, 5.0).tolist() == [0, 0]
