"""Serves the web pages for a first look: titles, movies, the map of movies, and the index itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from engine.errors import EngineError
from engine.recommender import Engine
from engine.relations.movie_map import mapped_movies
from engine.relations.profiles import shared_reviewers
from engine.service.pages.rendering import Values, page
from engine.service.questions import LONGEST_TEXT

_K = 10
"""The number of movies in a list on a page."""
_MOST_MATCHES = 20
_MAPPED = 500
"""The number of movies on the map."""
_COLUMNS = ("ndcg@10", "recall@10", "recall@20", "mae", "rmse")
"""The figures that the page about the index shows for each model."""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(request: Request) -> Response:
    """Shows where to begin: a search for titles, a few reviewers, and what is popular."""

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
        found = engine.movie(movie_id)
        similar = engine.similar(movie_id, _K)
        shared = shared_reviewers(engine.index, movie_id, [other.movie_id for other in similar])
        link = found.card["link"]
        return {
            "movie": found,
            "similar": list(zip(similar, shared, strict=True)),
            "audience": engine.reviewers_for(movie_id, 5, because=False),
            "link": link if isinstance(link, str) and link.startswith(("https://", "http://")) else None,
        }

    return await page(request, "movie.html", question)


@router.get("/map")
async def movie_map(request: Request) -> Response:
    """Shows the most reviewed movies on a plane, with similar movies near each other."""

    def question(engine: Engine) -> Values:
        index = engine.index
        movies = mapped_movies(index.model, index.movies, index.cards, _MAPPED)
        return {"movies": movies, "names": sorted({one.category for one in movies})}

    return await page(request, "map.html", question)


@router.get("/about")
async def about(request: Request) -> Response:
    """Shows what the index says of itself: its counts, and its figures on held-out reviews."""

    def question(engine: Engine) -> Values:
        info = engine.info()
        found = info.get("metrics") or {}
        metrics = {model: figures for model, figures in found.items() if isinstance(figures, dict)}
        columns = [name for name in _COLUMNS if any(name in figures for figures in metrics.values())]
        return {"info": info, "metrics": metrics if columns else {}, "columns": columns}

    return await page(request, "about.html", question)
