"""Serves the web pages with top lists: of one reviewer, of a newcomer, and of several reviewers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from engine.answers import TopList
from engine.errors import EngineError, TitleError, UnknownIdError
from engine.questions.arguments import ListArguments
from engine.questions.ratings import parse_pairs
from engine.recommender import Engine
from engine.service.pages.rendering import Values, page
from engine.service.questions import LONGEST_TEXT, MOST_MEMBERS

_K = 10
"""The number of movies in a list on a web page."""
_MOST_MATCHES = 20
_MOST_RATED = 200
"""The largest number of ratings that a newcomer may give on a web page."""

router = APIRouter(include_in_schema=False)


def _options(request: Request) -> ListArguments:
    """Reads the options of a list from the address of a page; ignores values that are out of range."""
    asked = request.query_params
    return ListArguments(
        where=asked.get("where", "")[:LONGEST_TEXT].strip() or None,
        diversity=_share(asked.get("diversity")),
        novelty=_share(asked.get("novelty")),
    )


def _share(text: str | None) -> float:
    try:
        return min(1.0, max(0.0, float(text or 0)))
    except ValueError:
        return 0.0


def _listed(make: Callable[[ListArguments], TopList], options: ListArguments) -> tuple[TopList, str | None]:
    """Makes a top list; if an option of the list is unusable, returns an empty list and an error message."""
    try:
        return make(options), None
    except UnknownIdError:
        raise
    except EngineError as error:
        return TopList(), str(error)


@router.get("/reviewer")
async def find_reviewer(request: Request, reviewer_id: str = "") -> Response:
    """Redirects from the form for a reviewer's id to the page of the reviewer."""
    if not reviewer_id:
        return RedirectResponse("/", 303)
    return RedirectResponse("/reviewer/" + quote(reviewer_id.strip(), safe=""), 303)


@router.get("/reviewer/{reviewer_id:path}")
async def reviewer(request: Request, reviewer_id: str) -> Response:
    """Shows a reviewer: the list with stars, likes and reasons, the history, and similar reviewers."""
    options = _options(request)

    def question(engine: Engine) -> Values:
        movies, sentence = _listed(lambda asked: engine.recommend(reviewer_id, _K, **asked), options)
        return {
            "asked_reviewer": reviewer_id,
            "asked": options,
            "reviewer": engine.reviewer(reviewer_id, 20),
            "movies": movies,
            "sentence": sentence,
        }

    return await page(request, "reviewer.html", question)


@router.get("/newcomer")
async def newcomer(request: Request) -> Response:
    """Shows the top list of a newcomer, whose ratings are part of the address of the page."""
    asked = request.query_params
    texts = [text for text in asked.getlist("rate") if text][-_MOST_RATED:]
    options, title = _options(request), asked.get("add", "").strip()

    def question(engine: Engine) -> Values:
        rating = engine.index.model.rating
        levels = [] if rating is None else [round(level, 4) for level in rating.levels.tolist()]
        best = f"{levels[-1]:g}" if levels else "5"
        ratings = {one: given for one, given in parse_pairs(texts).items() if engine.holds_movie(one)}
        choices, sentence = _added(engine, title, ratings, best)

        def make(given: ListArguments) -> TopList:
            if ratings:
                return engine.recommend_for(ratings, _K, **given)
            return engine.recommend("", _K, fallback="popular", **given)

        movies, refused = _listed(make, options)
        popular = "Popular these days: give stars to what you know"
        pairs = [("rate", one if given is None else f"{one}={given:g}") for one, given in ratings.items()]
        kept = {name: value for name, value in options.items() if value}
        return {
            "asked": options,
            "rated": [_rated(engine, one, given) for one, given in ratings.items()],
            "levels": levels,
            "shown_levels": [f"{level:g}" for level in levels] if len(levels) <= 5 else [best],
            "best": best,
            "choices": choices,
            "query": urlencode([*pairs, *kept.items()]),
            "movies": movies,
            "caption": "Recommended for these ratings" if ratings else popular,
            "sentence": sentence or refused,
        }

    return await page(request, "newcomer.html", question)


def _added(
    engine: Engine, title: str, ratings: dict[str, float | None], best: str
) -> tuple[Sequence[Any], str | None]:
    """Adds the movie with the typed title to the ratings; returns the choices if several movies match."""
    if not title:
        return [], None
    try:
        ratings[engine.find_movie(title).movie_id] = float(best)
    except TitleError as error:
        return error.matches[:_MOST_MATCHES], None if error.matches else str(error)
    except EngineError as error:
        return [], str(error)
    return [], None


def _rated(engine: Engine, movie_id: str, rating: float | None) -> Mapping[str, Any]:
    return {"movie_id": movie_id, "title": engine.title(movie_id), "rating": rating}


@router.get("/together")
async def together(request: Request, strategy: str = "average") -> Response:
    """Shows the lists of several reviewers side by side, and one common list for all the reviewers."""
    wanted = [one.strip() for one in request.query_params.getlist("reviewer")][:MOST_MEMBERS]
    members = list(dict.fromkeys(one for one in wanted if one))

    def question(engine: Engine) -> Values:
        movies = engine.recommend_group(members, _K, strategy=strategy) if members else TopList()
        lists = engine.recommend_many(members, _K)
        return {
            "members": members,
            "strategy": strategy,
            "movies": movies,
            "lists": dict(zip(members, lists, strict=True)),
            "sentence": None,
            "wanted": [*members, *([""] * max(1, 2 - len(members)))],
        }

    return await page(request, "together.html", question)
