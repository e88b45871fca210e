import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalogue.cards import CARD_FIELDS, MovieCards, build_card_arrays
from engine.errors import ArtifactCorruptError

values = st.none() | st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
cards = st.lists(st.dictionaries(st.sampled_from(CARD_FIELDS), values))


@given(cards)
def test_cards_are_read_back_as_written(written: list[dict[str, object]]) -> None:
    read = MovieCards(*build_card_arrays(written))
    assert len(read) == len(written)
    for row, card in enumerate(written):
        assert read.card(row) == dict.fromkeys(CARD_FIELDS) | card


def test_a_movie_without_metadata_has_an_empty_card() -> None:
    card = MovieCards(*build_card_arrays([{}])).card(0)
    assert set(card) == set(CARD_FIELDS)
    assert set(card.values()) == {None}


def test_a_row_outside_and_a_damaged_card_are_refused() -> None:
    data, offsets = build_card_arrays([{"title": "Laura"}])
    with pytest.raises(IndexError):
        MovieCards(data, offsets).card(1)
    with pytest.raises(ArtifactCorruptError, match="do not fit"):
        MovieCards(data[1:], offsets)
    damaged = np.array(data)
    damaged[0] = ord("x")
    with pytest.raises(ArtifactCorruptError, match="card of movie 0"):
        MovieCards(damaged, offsets).card(0)
