"""Holds the cards of the movies; a card holds the fields, such as title and price, that answers show.

A card is a JSON object. One array holds the bytes of all cards; a second array holds the position in the
bytes at which each card starts. The cards make it possible to show a movie without a database.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifact.arrays import damage_of

CARD_FIELDS = (
    "title",
    "title_source",
    "category",
    "main_cat",
    "brand",
    "description",
    "price",
    "year",
    "average_rating",
    "movie_count",
    "link",
    "links",
)
"""The fields of a card; a field whose value is unknown is None.

If the metadata has no readable title, the field `title` holds the first words of the description; without a
description, the field `title` holds the brand and the category. If `title` is made from another field,
`title_source` is "description", "brand" or "category"; otherwise `title_source` is None.
"""
_NUMBERS = ("price", "year", "average_rating", "movie_count")
_KINDS: dict[str, type | tuple[type, ...]] = {
    name: (int, float) if name in _NUMBERS else list if name == "links" else str for name in CARD_FIELDS
}
"""Maps each field of a card to the Python types that a value of the field, unless None, may have."""
_UNKNOWN = dict.fromkeys(CARD_FIELDS)
_DECODER = json.JSONDecoder()
_TITLE_FIRST = '{"title":"'
"""The first characters of the JSON text of a card that has a title."""


def build_card_arrays(cards: Iterable[Mapping[str, Any]]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Joins the cards of all movies, in the order of movie rows, into one array of bytes for `MovieCards`.

    A card is a JSON object that holds the fields of a movie, such as title and price, that answers show.

    Returns the bytes, uint8 [num_bytes], and the offsets of the cards in the bytes, int64 [num_movies + 1].
    The offset of a card is the position of its first byte; the last offset is the total number of bytes.
    Fields that `CARD_FIELDS` does not list are left out.
    """
    data = bytearray()
    offsets = array("q", [0])
    for card in cards:
        known = {name: card[name] for name in CARD_FIELDS if card.get(name) is not None}
        data += json.dumps(known, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        offsets.append(len(data))
    return np.frombuffer(bytes(data), dtype=np.uint8), np.array(offsets, dtype=np.int64)


class MovieCards:
    """Reads the card of any movie from the two arrays that `build_card_arrays` returns.

    Example:
        >>> cards = MovieCards(*build_card_arrays([{"title": "Laura", "year": 1944}]))
        >>> cards.card(0)["title"], cards.card(0)["price"]
        ('Laura', None)
    """

    def __init__(self, data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        # Slicing a memoryview is some microseconds faster than slicing an array.
        self._data = np.ascontiguousarray(data, dtype=np.uint8).data
        self._offsets = np.ascontiguousarray(offsets, dtype=np.int64).data

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def card(self, movie_row: int) -> dict[str, Any]:
        """Returns a dictionary with every field of `CARD_FIELDS` for a movie; an unknown field is None.

        Raises:
            IndexError: `movie_row` is not the row of a movie.
            ArtifactCorruptError: the bytes of the card are not a JSON object.
        """
        try:
            # The method `raw_decode` is called directly, because `json.loads` would spend half of its time
            # guessing the encoding and skipping white space.
            text = self._text(movie_row)
            known, length = _DECODER.raw_decode(text)
            if length < len(text):
                raise ValueError("more behind the object")
            card: dict[str, Any] = _UNKNOWN | known
            for name, value in known.items():
                if not isinstance(value, _KINDS.get(name, ())):
                    raise ValueError(f"the field {name} has the wrong type")
            return card
        except (ValueError, TypeError, RecursionError) as error:
            raise damage_of("cards of the movies") from error

    def title(self, movie_row: int) -> str | None:
        """Returns the title of a movie, which is faster than to read the movie's whole card.

        Raises:
            IndexError: `movie_row` is not the row of a movie.
            ArtifactCorruptError: the bytes of the card are not a JSON object.
        """
        try:
            text = self._text(movie_row)
            if text.startswith(_TITLE_FIRST):
                title: str = _DECODER.raw_decode(text, len(_TITLE_FIRST) - 1)[0]
                return title
        except ValueError as error:
            raise damage_of("cards of the movies") from error
        found: str | None = self.card(movie_row)["title"]
        return found

    def _text(self, movie_row: int) -> str:
        """Returns the JSON text of a card; raises ValueError if the offsets of the card are damaged."""
        if not 0 <= movie_row < len(self):
            raise IndexError(f"Row {movie_row} is not one of the {len(self):,} movies")
        start, end = self._offsets[movie_row], self._offsets[movie_row + 1]
        if not 0 <= start <= end <= len(self._data):
            raise ValueError("the offsets of the card do not fit")
        return str(self._data[start:end], "utf-8")
