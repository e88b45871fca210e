"""Defines one route for each kind of question; a route answers with the JSON that a command prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from engine import responses
from engine.answers import TopList
from engine.questions.options import ListArguments
from engine.recommender import Engine
from engine.service import metrics, questions
from engine.service.engine_thread import EngineThread
from engine.service.lean_route import LeanRoute
from engine.service.live_index import LiveIndex
from engine.service.problems import MEDIA_TYPE, ProblemError
from engine.service.settings import DEFAULT_NAME

router = APIRouter(route_class=LeanRoute)

ReviewerId = Annotated[str, Path(min_length=1, max_length=questions.LONGEST_ID, examples=["A3ROS56ZKFSSN"])]
MovieId = Annotated[str, Path(min_length=1, max_length=questions.LONGEST_ID, examples=["B000000016"])]


def _documented(model: Any) -> dict[str, Any]:
    """Returns the keyword arguments that describe a route's answers in the OpenAPI document.

    The routes return bytes instead of models, because FastAPI would need milliseconds to check and copy a
    list.
    """
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
    refusals = {status: {"description": text, "content": content} for status, text in _REFUSALS.items()}
    return {"responses": {200: {"model": model}, **refusals}, "response_class": Response}


_REFUSALS = {
    401: "The request has no valid token.",
    404: "The index does not hold the reviewer or the movie.",
    422: "A value is out of range, or a condition is no condition.",
    429: "The token asked too often.",
    503: "Too many questions wait; Retry-After says when to ask again.",
    504: "The answer took too long.",
}


async def _answer(request: Request, question: Callable[[Engine], responses.Response]) -> Response:
    """Asks a question to the engine of the request's index, in the engine thread; returns JSON."""
    index = index_of(request)
    engine, build = index.engine, index.build

    def ask() -> bytes:
        return orjson.dumps(question(engine), default=str, option=orjson.OPT_SERIALIZE_NUMPY)

    thread: EngineThread = request.app.state.thread
    content = await thread.ask(ask)
    return Response(content, media_type="application/json", headers={"X-Index-Build": build})


def index_of(request: Request) -> LiveIndex:
    """Returns the index that the path of a request names; by default the default index."""
    name = request.path_params.get("index_name", DEFAULT_NAME)
    found: LiveIndex | None = request.app.state.indexes.get(name)
    if found is None:
        names = ", ".join(sorted(request.app.state.indexes))
        raise ProblemError(404, f"There is no index named {name!r}; the service has {names}.")
    return found


def _page(make: Callable[..., TopList], asked: questions.ListQuestion, index: LiveIndex) -> TopList:
    """Makes one page of a top list; counts short lists and fallback lists in the metrics.

    The function `make` makes a top list from a length and options. No movie is on two pages of a list. If the
    options do not ask for a varied list, a page is a part of one longer list. If the options ask for a varied
    list, a page is made without the movies of the previous pages.
    """
    options = asked.options()
    if asked.offset and (asked.diversity or asked.novelty):
        if asked.offset % asked.k:
            raise ProblemError(422, "offset must be a multiple of k for a list with diversity or novelty.")
        shown = list(asked.exclude or ())
        for _ in range(asked.offset // asked.k):
            options["exclude"] = shown
            shown += [movie.movie_id for movie in make(asked.k, options)]
        options["exclude"] = shown
        found = make(asked.k, options)
    else:
        whole = make(asked.offset + asked.k, options)
        found = TopList(whole[asked.offset :])
        found.variety, found.fallback, found.why_empty = whole.variety, whole.fallback, whole.why_empty
    _count(found, asked, index)
    return found


def _count(found: TopList, asked: questions.ListBase, index: LiveIndex) -> None:
    if len(found) < asked.k:
        metrics.SHORT.labels(index.name).inc()
    if found.fallback is not None:
        metrics.FALLBACKS.labels(index.name).inc()


@router.get("/recommend/reviewer/{reviewer_id:path}", **_documented(questions.ListAnswer), tags=["lists"])
async def recommend_reviewer(
    request: Request, reviewer_id: ReviewerId, asked: Annotated[questions.ReviewerList, Query()]
) -> Response:
    """Lists the movies that suit a reviewer best, the most suitable first."""
    return await _recommend(request, reviewer_id, asked)


@router.post("/recommend/reviewer", **_documented(questions.ListAnswer), tags=["lists"])
async def ask_for_reviewer(request: Request, asked: questions.ReviewerQuestion) -> Response:
    """Lists the movies that suit a reviewer best, with the options in the body of the request."""
    return await _recommend(request, asked.reviewer_id, asked)


async def _recommend(request: Request, reviewer_id: str, asked: questions.ReviewerList) -> Response:
    index = index_of(request)

    def question(engine: Engine) -> responses.Response:
        def make(k: int, options: ListArguments) -> TopList:
            return engine.recommend(reviewer_id, k, fallback=asked.fallback, **options)

        return responses.list_of_reviewer(reviewer_id, asked.k, _page(make, asked, index))

    return await _answer(request, question)


@router.post("/recommend/reviewers", **_documented(questions.ListsAnswer), tags=["lists"])
async def recommend_reviewers(request: Request, asked: questions.ReviewersQuestion) -> Response:
    """Lists the movies that suit each of up to 1,000 reviewers best."""
    index = index_of(request)

    def question(engine: Engine) -> responses.Response:
        lists = engine.recommend_many(asked.reviewer_ids, asked.k, fallback=asked.fallback, **asked.options())
        found = []
        for reviewer_id, items in zip(asked.reviewer_ids, lists, strict=True):
            _count(items, asked, index)
            found.append(responses.list_of_reviewer(reviewer_id, asked.k, items))
        return {"lists": found}

    return await _answer(request, question)


@router.post("/recommend/ratings", **_documented(questions.ListAnswer), tags=["lists"])
async def recommend_ratings(request: Request, asked: questions.RatingsQuestion) -> Response:
    """Lists the movies that suit a newcomer best, from the newcomer's ratings alone."""
    index = index_of(request)

    def question(engine: Engine) -> responses.Response:
        def make(k: int, options: ListArguments) -> TopList:
            return engine.recommend_for(asked.ratings, k, **options)

        items = _page(make, asked, index)
        unknown = [movie_id for movie_id in asked.ratings if not engine.holds_movie(movie_id)]
        return responses.list_of_ratings(asked.ratings, unknown, asked.k, items)

    return await _answer(request, question)


@router.post("/recommend/group", **_documented(questions.ListAnswer), tags=["lists"])
async def recommend_group(request: Request, asked: questions.GroupQuestion) -> Response:
    """Lists the movies that suit several reviewers together, such as a household."""
    index = index_of(request)

    def question(engine: Engine) -> responses.Response:
        ids = asked.reviewer_ids

        def make(k: int, options: ListArguments) -> TopList:
            return engine.recommend_group(ids, k, strategy=asked.strategy, **options)

        return responses.list_of_group(ids, asked.strategy, asked.k, _page(make, asked, index))

    return await _answer(request, question)


@router.get("/recommend/movie/{movie_id:path}", **_documented(questions.AudienceAnswer), tags=["lists"])
async def recommend_movie(
    request: Request, movie_id: MovieId, asked: Annotated[questions.AudienceQuestion, Query()]
) -> Response:
    """Lists the reviewers who are most likely to review and like a movie."""

    def question(engine: Engine) -> responses.Response:
        found = engine.reviewers_for(movie_id, asked.k, because=asked.because)
        return responses.audience(movie_id, engine.title(movie_id), asked.k, found)

    return await _answer(request, question)


@router.get("/similar/movie/{movie_id:path}", **_documented(questions.SimilarMoviesAnswer), tags=["similar"])
async def similar_movie(
    request: Request, movie_id: MovieId, asked: Annotated[questions.SimilarMovieQuestion, Query()]
) -> Response:
    """Lists the movies that are most similar to a movie."""

    def question(engine: Engine) -> responses.Response:
        found = engine.similar(
            movie_id,
            asked.offset + asked.k,
            where=asked.where,
            no_cold=asked.no_cold,
            all_variants=asked.all_variants,
        )
        return responses.similar_movies(movie_id, engine.title(movie_id), found[asked.offset :])

    return await _answer(request, question)


@router.get(
    "/similar/reviewer/{reviewer_id:path}", **_documented(questions.SimilarReviewersAnswer), tags=["similar"]
)
async def similar_reviewer(
    request: Request, reviewer_id: ReviewerId, asked: Annotated[questions.Question, Query()]
) -> Response:
    """Lists the reviewers who are most similar to a reviewer."""

    def question(engine: Engine) -> responses.Response:
        found = engine.similar_reviewers(reviewer_id, asked.k)
        return responses.similar_reviewers(reviewer_id, asked.k, found)

    return await _answer(request, question)


@router.post("/predict", **_documented(questions.PredictionsAnswer), tags=["ratings"])
async def predict(request: Request, asked: questions.PredictQuestion) -> Response:
    """Predicts the ratings that a reviewer would give to some movies."""

    def question(engine: Engine) -> responses.Response:
        found = engine.predictions(asked.reviewer_id, engine.known_movies(asked.movie_ids))
        return responses.predictions(asked.reviewer_id, found)

    return await _answer(request, question)


@router.get("/movies", **_documented(questions.MatchesAnswer), tags=["movies"])
async def search_movies(request: Request, asked: Annotated[questions.SearchQuestion, Query()]) -> Response:
    """Finds the movies whose titles match a piece of a title, the best match first."""

    def question(engine: Engine) -> responses.Response:
        return responses.title_matches(asked.title, engine.find_movies(asked.title, asked.k))

    return await _answer(request, question)


@router.get("/movies/{movie_id:path}", **_documented(questions.MovieAnswer), tags=["movies"])
async def movie(request: Request, movie_id: MovieId) -> Response:
    """Describes a movie: catalogue entry, number of reviews by rating and by year, and variants."""
    return await _answer(request, lambda engine: responses.profile(engine.movie(movie_id)))


@router.get("/reviewers/{reviewer_id:path}", **_documented(questions.ReviewerAnswer), tags=["reviewers"])
async def reviewer(
    request: Request, reviewer_id: ReviewerId, asked: Annotated[questions.Question, Query()]
) -> Response:
    """Describes a reviewer: the number of reviews by rating, and the latest reviews."""
    return await _answer(request, lambda engine: responses.profile(engine.reviewer(reviewer_id, asked.k)))


@router.get("/info", tags=["service"], response_class=Response)
async def info(request: Request) -> Response:
    """Describes the index: counts, settings, and figures that were measured on held-out reviews."""
    return await _answer(request, lambda engine: engine.info())
