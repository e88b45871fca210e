"""Writes the synthetic metadata file in Amazon's format, with errors like those of real metadata files."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice

import numpy as np

from pipelines.synthetic.catalogue import FORMATS, DrawnCatalogue
from pipelines.synthetic.details import Facts, details_list, details_object, details_page
from pipelines.synthetic.dirt import DirtRates, break_off
from pipelines.synthetic.draws import Draws, IntArray
from pipelines.synthetic.films import Film
from pipelines.synthetic.prose import Prose

_MOVIES_PER_CHUNK = 2_000
"""The number of movies whose metadata is written in one piece."""
_MOST_BOUGHT, _MOST_VIEWED = 60, 50
"""The largest numbers of movies that the metadata fields `also_buy` and `also_view` may list."""
_LOG_SENTENCES = 3.2
"""The natural logarithm of the median number of sentences in a movie's description."""
_OBJECTS_ONE_IN = 4
"""A field `details` without an error holds a JSON object or an HTML page: on average, one in this many fields
`details` holds a JSON object, and all the rest hold an HTML page. If `metadata_chunks` is called with
`brief`, every field `details` without an error holds a JSON object."""
_CSS_PRICE = (
    ".a-box-inner{background-color:#fff}#alohaBuyBoxWidget .selected{"
    "background-color:#fffbf3;border-color:#e77600;box-shadow:0 0 3px rgba(228,121,17,.5)}"
    "#alohaBuyBoxWidget .contract-not-available{color:gray}"
)
_KINDS = {
    "line": ("repeated_metadata", "malformed_metadata"),
    "title": ("html_titles", "lost_titles", "entity_titles"),
    "category": ("entity_categories",),
    "price": ("css_prices", "thousand_prices", "empty_prices"),
    "rank": ("rank_lists", "rank_empty"),
    "details": ("details_html", "details_empty"),
    "lists": ("empty_lists",),
}
"""Maps each metadata field, the whole line ("line") and the fields that are lists ("lists") to the kinds of
errors that may occur there, as named in DirtRates."""
_STUDIOS = (
    *("Lantern Hill Pictures", "Harbor Light Films", "Paper Crane Studio", "Redwood & Sons"),
    *("Blue Door Entertainment", "Meridian Home Video", "Old Mill Productions", "Seventh Reel"),
)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_PRICES = ("$4.99", "$5.99", "$7.48", "$9.99", "$12.99", "$14.95", "$19.98", "$24.99", "$39.90")


def metadata_chunks(
    catalogue: DrawnCatalogue, seed: int, rates: DirtRates, truth: Counter[str], *, brief: bool = False
) -> Iterator[str]:
    """Yields the metadata file in pieces of about 2,000 lines; counts each kind of error in `truth`.

    An error that occurs in several lines of the same movie counts once in `truth`. If `brief` is true,
    descriptions and lists are shorter than in real files.
    """
    draws = Draws(seed, 4)
    missing = draws.labels(len(catalogue), rates.missing_metadata) == 1
    movies = np.flatnonzero(~missing)[draws.shuffled(int((~missing).sum()))]
    truth["missing_metadata"] = int(missing.sum())
    truth["movies"] = len(movies)
    kinds = _kinds_of_dirt(len(movies), rates, draws)
    prose = Prose(log_median=_LOG_SENTENCES)
    for start in range(0, len(movies), _MOVIES_PER_CHUNK):
        chunk = movies[start : start + _MOVIES_PER_CHUNK]
        rows, draws = list(islice(kinds, len(chunk))), Draws(seed, 5, start)
        told = [""] * len(chunk) if brief else prose(len(chunk), Draws(seed, 7, start))
        lengths = (8, 5) if brief else (_MOST_BOUGHT, _MOST_VIEWED)
        yield "".join(_lines(catalogue, chunk, rows, draws, truth, told=told, lengths=lengths, brief=brief))


def _kinds_of_dirt(num_movies: int, rates: DirtRates, draws: Draws) -> Iterator[dict[str, str]]:
    """Yields a dictionary for each movie that maps each key of _KINDS to an error of the movie, or to "".

    The name of an error is the name of the error's rate in `DirtRates`, such as "html_titles". For each kind
    of error, the share of the movies with the error is the value in `rates`, rounded to whole movies.
    """
    columns = []
    for names in _KINDS.values():
        labels = draws.labels(num_movies, *(getattr(rates, name) for name in names))
        columns.append([("", *names)[label] for label in labels.tolist()])
    for kinds in zip(*columns, strict=True):
        yield dict(zip(_KINDS, kinds, strict=True))


def _lines(
    catalogue: DrawnCatalogue,
    movies: IntArray,
    kinds: list[dict[str, str]],
    draws: Draws,
    truth: Counter[str],
    *,
    told: list[str],
    lengths: tuple[int, int],
    brief: bool,
) -> Iterator[str]:
    """Yields the metadata lines of each given movie; `told[i]` is the description of `movies[i]`."""
    also_bought, also_viewed = (_also(catalogue, movies, most, draws) for most in lengths)
    numbers = draws.integers(len(movies), 10**9).tolist()
    columns = zip(movies.tolist(), kinds, numbers, also_bought, also_viewed, told, strict=True)
    for movie, kind, number, bought, viewed, words in columns:
        line = json.dumps(_entry(catalogue, movie, kind, number, bought, viewed, words, brief=brief)) + "\n"
        truth.update(filter(None, kind.values()))
        truth["lines"] += 2 if kind["line"] else 1
        if kind["line"] == "malformed_metadata":
            yield break_off(line, number / 10**9)
        yield line
        if kind["line"] == "repeated_metadata":
            yield line


def _entry(
    catalogue: DrawnCatalogue,
    movie: int,
    kind: dict[str, str],
    number: int,
    bought: list[str],
    viewed: list[str],
    words: str,
    *,
    brief: bool,
) -> dict[str, object]:
    """Returns the metadata of one movie, with the fields in the same order as in real metadata files."""
    film = catalogue.films[movie]
    movie_id = catalogue.movie_ids[movie]
    format_name = FORMATS[int(catalogue.formats[movie])]
    studio = _STUDIOS[int(catalogue.film_numbers[movie]) * 5 % len(_STUDIOS)]
    categories = ["Movies & TV", "Genre for Featured Categories", film.taste]
    if format_name == "Blu-ray":
        categories = ["Movies & TV", "Blu-ray", film.taste]
    if kind["category"]:
        categories = [html.escape(category) for category in categories]
    empty = bool(kind["lists"])
    facts = Facts(movie_id, format_name, studio, number)
    return {
        "category": categories,
        "tech1": "",
        "description": "" if empty else _description(film, number, words),
        "fit": "",
        "title": _title(catalogue.titles[movie], kind["title"]),
        "also_buy": "" if empty else bought,
        "image": [],
        "tech2": "",
        "brand": "" if number % 17 == 0 else studio,
        "feature": "" if empty else [],
        "rank": _rank(kind["rank"], number),
        "also_view": "" if empty else viewed,
        "details": _details(kind["details"], facts, bought, brief=brief),
        "main_cat": "Movies &amp; TV" if kind["category"] else "Movies & TV",
        "similar_item": "",
        "date": f"{_MONTHS[number % 12]} {number % 28 + 1}, {max(film.year, 1998)}" if number % 5 else "",
        "price": _price(kind["price"], number),
        "asin": movie_id,
    }


def _also(catalogue: DrawnCatalogue, movies: IntArray, most: int, draws: Draws) -> list[list[str]]:
    """Picks for each movie at most `most` ids of other movies of the same genre, mostly of the same era."""
    tastes = np.repeat(catalogue.tastes[movies], most)
    eras = np.where(draws.uniform(len(tastes)) < 0.6, np.repeat(catalogue.eras[movies], most), -1)
    picks = catalogue.pick(tastes, eras, draws.uniform(len(tastes))).reshape(len(movies), most)
    lengths = draws.integers(len(movies), most + 1).tolist()
    return [
        [catalogue.movie_ids[other] for other in dict.fromkeys(row[:length]) if other != movie]
        for movie, row, length in zip(movies.tolist(), picks.tolist(), lengths, strict=True)
    ]


def _title(title: str, kind: str) -> str:
    if kind == "html_titles":
        return f'<span class="a-size-large" id="productTitle">\n{html.escape(title)}\n</span>'
    if kind == "lost_titles":
        return '<span class="a-size-medium a-color-secondary"'
    if kind == "entity_titles":
        return html.escape(title).replace("(", "&#40;").replace(")", "&#41;")
    return title


def _description(film: Film, number: int, words: str) -> list[str]:
    if number % 6 == 0:
        return []
    first = f"{film.title}, {film.year}. Filed under {film.taste.lower()}.{words}"
    return [first, "Invented catalogue text."] if number % 6 == 1 else [first]


def _rank(kind: str, number: int) -> object:
    place = f"{number % 400_000 + 1:,}"
    if kind == "rank_lists":
        return [
            f">#{place} in Movies & TV (See Top 100 in Movies & TV)",
            f">#{number % 900 + 1} in Movies & TV > Genre",
        ]
    if kind == "rank_empty":
        return []
    return f"{place} in Movies & TV ("


def _details(kind: str, facts: Facts, linked: list[str], *, brief: bool) -> object:
    if kind == "details_empty":
        return ""
    if kind == "details_html":
        return details_list(facts, linked)
    if brief or facts.number % _OBJECTS_ONE_IN == 0:
        return details_object(facts)
    return details_page(facts)


def _price(kind: str, number: int) -> str:
    if kind == "css_prices":
        return _CSS_PRICE
    if kind == "thousand_prices":
        return f"${1 + number % 3},{number % 1000:03d}.50"
    if kind == "empty_prices":
        return ""
    return _PRICES[number % len(_PRICES)]
