import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalogue.cards import CARD_FIELDS, MovieCards, build_card_arrays
from engine.errors import ArtifactCorruptError

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = {name: st.none() | st.text() for name in CARD_FIELDS}
values |= {name: st.none() | numbers for name in ("price", "year", "average_rating", "movie_count")}
values |= {"links": st.none() | st.lists(st.text())}
cards = st.lists(st.fixed_dictionaries({}, optional=values))


@given(cards)
def test_cards_are_read_back_as_written(written: list[dict[str, object]]) -> None:
    read = MovieCards(*build_card_arrays(written))
    assert len(read) == len(written)
    for row, card in enumerate(written):
        assert read.card(row) == dict.fromkeys(CARD_FIELDS) | card
        assert read.title(row) == card.get("title")


def test_a_movie_without_metadata_has_an_empty_card() -> None:
    card = MovieCards(*build_card_arrays([{}])).card(0)
    assert set(card) == set(CARD_FIELDS)
    assert set(card.values()) == {None}


def test_a_row_outside_and_a_damaged_card_are_refused() -> None:
    data, offsets = build_card_arrays([{"title": "Laura"}])
    with pytest.raises(IndexError):
        MovieCards(data, offsets).card(1)
    for damaged in (b"x", data[1:], b"[]", b'{"title": 5}', b'{"more": "x"}', b"[" * 100_000):
        bytes_of = np.frombuffer(bytes(damaged), dtype=np.uint8)
        for ends in (offsets, np.array([0, len(bytes_of)]), np.array([5, 2]), np.array([-9, len(bytes_of)])):
            with pytest.raises(ArtifactCorruptError, match="cards of the movies"):
                MovieCards(bytes_of, ends).card(0)
            with pytest.raises(ArtifactCorruptError, match="cards of the movies"):
                MovieCards(bytes_of, ends).title(0)
