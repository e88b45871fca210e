"""Shows an index to people: pages for movies, reviewers, someone new, groups, the map and the index itself.

Every page works without JavaScript. With htmx, the same address gives only the changed part of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import Response

from engine.answers import TopList
from engine.errors import EngineError, TitleError, UnknownIdError
from engine.questions.options import ListArguments
from engine.questions.ratings import parse_pairs
from engine.recommender import Engine
from engine.relations.movie_map import mapped_movies
from engine.relations.profiles import shared_reviewers
from engine.service.questions import LONGEST_TEXT, MOST_MEMBERS
from engine.service.routes import index_of

STATIC = Path(__file__).parent / "static"
"""The folder of the style sheet and the scripts of the pages."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    ),
    "Referrer-Policy": "no-referrer",
    "Vary": "HX-Request",
    "Cache-Control": "no-store",
}
"""The headers of every page: a page loads nothing from elsewhere, and runs no script inside the page."""
_K = 10
"""The number of movies in a list on a page."""
_MOST_MATCHES = 20
_MOST_RATED = 200
"""The largest number of ratings that someone new may give on a page."""
_MAPPED = 500
_COLUMNS = ("ndcg@10", "recall@10", "recall@20", "mae", "rmse")
"""The figures that the page about the index shows for each model."""

router = APIRouter(include_in_schema=False)
_templates = Environment(
    loader=PackageLoader("engine.service"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["urlencode"] = lambda text: quote(str(text), safe="", errors="surrogateescape")
Values = dict[str, Any]


async def _page(request: Request, template: str, question: Callable[[Engine], Values]) -> Response:
    """Asks the engine for the values of a page, and returns the page, or the part that htmx asks for."""
    engine = index_of(request).engine
    try:
        values = await request.app.state.thread.ask(lambda: question(engine))
        status = 200
    except UnknownIdError as error:
        place = f"/{error.kind}/"
        close = [(place + quote(one, safe=""), one) for one in error.close_matches]
        values = {"heading": f"No such {error.kind}", "sentence": str(error), "close": close}
        template, status = "problem.html", 404
    except EngineError as error:
        values = {"heading": "That cannot be asked", "sentence": str(error), "close": []}
        template, status = "problem.html", 422
    return _render(request, template, values, status)


def _render(request: Request, template: str, values: Values, status: int = 200) -> Response:
    frame = "fragment.html" if request.headers.get("HX-Request") == "true" else "frame.html"
    known: Values = {"frame": frame, "asked_title": None, "asked_reviewer": None}
    text = _templates.get_template(template).render(known | values)
    content = text.encode("utf-8", "replace")
    return HTMLResponse(content, status, headers=HEADERS)


def _options(request: Request) -> ListArguments:
    """Reads the options of a list from the address of a page; takes no value that is out of range."""
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
    """Makes a list, or an empty list with the sentence that says why a condition cannot be used."""
    try:
        return make(options), None
    except UnknownIdError:
        raise
    except EngineError as error:
        return TopList(), str(error)


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

    return await _page(request, "home.html", question)


@router.get("/search")
async def search(request: Request, title: str = "") -> Response:
    """Shows the movies whose titles match a piece of a title."""

    def question(engine: Engine) -> Values:
        matches, sentence = _matches(engine, title)
        return {"asked_title": title, "matches": matches, "sentence": sentence}

    return await _page(request, "search.html", question)


def _matches(engine: Engine, title: str) -> tuple[Sequence[Any], str | None]:
    try:
        matches = engine.find_movies(title[:LONGEST_TEXT], _MOST_MATCHES)
    except EngineError as error:
        return [], str(error) if title.strip() else None
    return matches, None if matches else f"No title is like {title!r}."


@router.get("/movie/{movie_id:path}")
async def movie(request: Request, movie_id: str) -> Response:
    """Shows a movie: its card, who rates it how, similar movies, and reviewers whom it suits."""

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

    return await _page(request, "movie.html", question)


@router.get("/reviewer")
async def find_reviewer(request: Request, reviewer_id: str = "") -> Response:
    """Leads from the form for a reviewer's id to the page of the reviewer."""
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
            "alike": engine.similar_reviewers(reviewer_id, 5),
        }

    return await _page(request, "reviewer.html", question)


@router.get("/newcomer")
async def newcomer(request: Request) -> Response:
    """Shows the list of someone new, whose ratings stand in the address of the page."""
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

    return await _page(request, "newcomer.html", question)


def _added(
    engine: Engine, title: str, ratings: dict[str, float | None], best: str
) -> tuple[Sequence[Any], str | None]:
    """Adds the movie that a typed title means to the ratings; returns the choices if several movies match."""
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
    """Shows the lists of several reviewers side by side, and one list for all of them."""
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

    return await _page(request, "together.html", question)


@router.get("/map")
async def movie_map(request: Request) -> Response:
    """Shows the most reviewed movies on a plane, with similar movies near each other."""

    def question(engine: Engine) -> Values:
        index = engine.index
        movies = mapped_movies(index.model, index.movies, index.cards, _MAPPED)
        return {"movies": movies, "names": sorted({one.category for one in movies})}

    return await _page(request, "map.html", question)


@router.get("/about")
async def about(request: Request) -> Response:
    """Shows what the index says of itself: its counts, and its figures on held-out reviews."""

    def question(engine: Engine) -> Values:
        info = engine.info()
        found = info.get("metrics") or {}
        metrics = {model: figures for model, figures in found.items() if isinstance(figures, dict)}
        columns = [name for name in _COLUMNS if any(name in figures for figures in metrics.values())]
        return {"info": info, "metrics": metrics if columns else {}, "columns": columns}

    return await _page(request, "about.html", question)
