"""Titles tell which films are of one series, and a shared word alone does not."""

import pytest

from engine.catalogue.series import are_one_series, categories_of, number_series

ONE_SERIES = (
    ("Terminator, The (1984)", "Terminator 2: Judgment Day (1991)"),
    ("Godfather, The (1972)", "Godfather: Part II, The (1974)"),
    ("Star Trek: The Motion Picture (1979)", "Star Trek VI: The Undiscovered Country (1991)"),
    ("Alien (1979)", "Aliens (1986)"),
    ("Batman (1989)", "Batman Returns (1992)"),
    ("Jaws (1975)", "Jaws 3-D (1983)"),
    ("Jurassic Park (1993)", "Lost World: Jurassic Park, The (1997)"),
    ("Harry Potter and the Half-Blood Prince (2009)", "Harry Potter and the Goblet of Fire (2005)"),
    ("Pokémon: The First Movie (1998)", "Pokemon 3 (2001)"),
    ("The Wire: Season 1 [DVD]", "The Wire - Season Two (Widescreen Edition)"),
    ("Naked Gun: From the Files of Police Squad!, The (1988)", "Naked Gun 33 1/3: The Final Insult (1994)"),
)
TWO_FILMS = (
    ("Dead Man (1995)", "Dead Man Walking (1995)"),
    ("Man with Two Brains, The (1983)", "Man with One Red Shoe, The (1985)"),
    ("Fury (1936)", "Fury, The (2014)"),
    ("M (1931)", "M*A*S*H (1970)"),
    ("2001: A Space Odyssey (1968)", "2001: Another (1999)"),
    (None, None),
    ("", "..."),
)


@pytest.mark.parametrize("titles", ONE_SERIES)
def test_films_of_one_series_are_recognised(titles: tuple[str, str]) -> None:
    assert are_one_series(titles, (None, None))
    first, second, other = number_series([*titles, "Laura (1944)"])
    assert first == second >= 0 > other


@pytest.mark.parametrize("titles", TWO_FILMS)
def test_other_films_are_of_no_series(titles: tuple[str | None, str | None]) -> None:
    assert not are_one_series(titles, (None, None))


def test_films_of_one_series_have_a_category_in_common() -> None:
    titles = ("Robin Hood: Men in Tights (1993)", "Robin Hood: Prince of Thieves (1991)")
    assert are_one_series(titles, ("Comedy", "Comedy | Drama"))
    assert are_one_series(titles, ("Comedy", "(no genres listed)"))
    assert not are_one_series(titles, ("Comedy", "Drama"))


def test_categories_are_names_between_bars() -> None:
    assert categories_of("Movies & TV | Drama |  War") == ["Movies & TV", "Drama", "War"]
    assert categories_of("unknown") == categories_of(None) == []
