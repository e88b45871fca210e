import time

import pytest

from engine.catalogue.titles import film_of_title, format_of_title

PIECES = [
    "-",
    " ",
    "(",
    "[",
    "dvd ",
    "- dvd",
    "a-",
    ", the",
    "(1999)",
    "a\n",
    "part 1 ",
    "\u0301\u0316",
    "ﷺ",
    "\ud800",
]


@pytest.mark.parametrize("piece", PIECES, ids=ascii)
def test_a_hostile_title_takes_no_time(piece: str) -> None:
    title = f"A{piece * 100_000}B"
    began = time.monotonic()
    assert film_of_title(title)
    format_of_title(title)
    assert time.monotonic() - began < 0.5


def test_words_about_the_edition_are_found_at_the_end_of_a_long_title() -> None:
    words = "word " * 100
    assert film_of_title(f"{words}: Special Edition DVD") == film_of_title(words)
    assert format_of_title(f"{words} (Widescreen) - DVD") == "Widescreen, DVD"
