"""Serves the start page and the web pages of title search, a movie, the map of movies, and index metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from engine.answers import MappedMovie
from engine.errors import EngineError
from engine.recommender import Engine
from engine.relations.movie_map import NO_CATEGORY, OTHER, mapped_movies
from engine.relations.profiles import movie_profile
from engine.service.pages.rendering import GREY, NUM_COLOURS, Values, page
from engine.service.questions import LONGEST_TEXT

_K = 10
"""The number of movies in a list on a web page."""
_MOST_MATCHES = 20
_MAPPED = 500
"""The number of movies on the map of movies."""
_NUM_NAMED = 24
"""The largest number of titles that are shown on the map of movies."""
_LONGEST_NAME = 32
"""The largest number of characters of a title on the map of movies."""
_COLUMNS = ("ndcg@10", "recall@10", "recall@20", "mae", "rmse")
"""The metrics that the web page about the index shows for each model."""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(request: Request) -> Response:
    """Shows the start page: a search for titles, a few reviewers, and popular movies."""

    def question(engine: Engine) -> Values:
        rows = range(0, engine.num_reviewers, max(1, engine.num_reviewers // 4))
        return {
            "num_reviewers": engine.num_reviewers,
            "num_movies": engine.num_movies,
            "reviewers": engine.reviewer_ids(list(rows)[:4]),
            "popular": engine.recommend("", _K, fallback="popular"),
        }

    return await page(request, "home.html", question)


@router.get("/search")
async def search(request: Request, title: str = "") -> Response:
    """Shows the movies whose titles match a piece of a title."""

    def question(engine: Engine) -> Values:
        matches, sentence = _matches(engine, title)
        return {"asked_title": title, "matches": matches, "sentence": sentence}

    return await page(request, "search.html", question)


def _matches(engine: Engine, title: str) -> tuple[Sequence[Any], str | None]:
    try:
        matches = engine.find_movies(title[:LONGEST_TEXT], _MOST_MATCHES)
    except EngineError as error:
        return [], str(error) if title.strip() else None
    return matches, None if matches else f"No title is like {title!r}."


@router.get("/movie/{movie_id:path}")
async def movie(request: Request, movie_id: str) -> Response:
    """Shows a movie: its card, its ratings, similar movies, and reviewers whom the movie suits."""

    def question(engine: Engine) -> Values:
        found = movie_profile(engine.index, movie_id, similar=())
        link = found.card["link"]
        return {
            "movie": found,
            "similar": engine.similar(movie_id, _K, because=True),
            "audience": engine.reviewers_for(movie_id, 5, because=False),
            "link": link if isinstance(link, str) and link.startswith(("https://", "http://")) else None,
        }

    return await page(request, "movie.html", question)


@router.get("/map")
async def movie_map(request: Request) -> Response:
    """Shows the most reviewed movies on a plane, with similar movies near each other."""

    def question(engine: Engine) -> Values:
        index = engine.index
        movies = mapped_movies(index.model, index.movies, index.cards, index.variants, _MAPPED)
        most = max((movie.num_reviews for movie in movies), default=1)
        names = sorted({movie.category for movie in movies} - {OTHER, NO_CATEGORY})
        return {
            "movies": movies,
            "sizes": [round(0.006 + 0.016 * (movie.num_reviews / most) ** 0.5, 4) for movie in movies],
            "colours": {name: place % NUM_COLOURS for place, name in enumerate(names)}
            | {name: GREY for name in (OTHER, NO_CATEGORY) if any(one.category == name for one in movies)},
            "named": _named(movies),
            "box": _box(movies),
        }

    return await page(request, "map.html", question)


def _named(movies: Sequence[MappedMovie]) -> list[MappedMovie]:
    """Chooses the most reviewed movies whose titles can be shown on the map without an overlap of titles."""
    named: list[MappedMovie] = []
    for movie in sorted(movies, key=lambda one: -one.num_reviews):
        free = all(abs(movie.y - one.y) > 0.07 or abs(movie.x - one.x) > 0.5 for one in named)
        if movie.title and len(movie.title) <= _LONGEST_NAME and free and len(named) < _NUM_NAMED:
            named.append(movie)
    return named


def _box(movies: Sequence[MappedMovie]) -> str:
    """Returns the SVG view box of the map, which holds all movies and a margin, and is wider than high."""
    x, y = [movie.x for movie in movies] or [0.0], [-movie.y for movie in movies] or [0.0]
    height = max(max(y) - min(y), (max(x) - min(x)) / 1.6, 0.1) + 0.2
    width = 1.6 * height
    left, top = (max(x) + min(x) - width) / 2, (max(y) + min(y) - height) / 2
    return f"{left:.4g} {top:.4g} {width:.4g} {height:.4g}"


@router.get("/about")
async def about(request: Request) -> Response:
    """Shows the manifest's facts about the index: counts, and metrics on held-out reviews."""

    def question(engine: Engine) -> Values:
        info = engine.info()
        found = info.get("metrics") or {}
        metrics = {model: figures for model, figures in found.items() if isinstance(figures, dict)}
        columns = [name for name in _COLUMNS if any(name in figures for figures in metrics.values())]
        return {"info": info, "metrics": metrics if columns else {}, "columns": columns}

    return await page(request, "about.html", question)
