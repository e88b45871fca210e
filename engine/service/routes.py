"""Defines one HTTP route for each kind of question; a route answers with the JSON that a command prints."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from engine import responses
from engine.answers import TopList
from engine.questions.arguments import ListArguments
from engine.recommender import Engine
from engine.service import metrics, questions
from engine.service.answering import Shown, answer, documented, expose, index_of, to_json
from engine.service.lean_route import LeanRoute
from engine.service.live.index import LiveIndex
from engine.service.problems import ProblemError

router = APIRouter(route_class=LeanRoute)

ReviewerId = Annotated[str, Path(min_length=1, max_length=questions.LONGEST_ID, examples=["A3ROS56ZKFSSN"])]
MovieId = Annotated[str, Path(min_length=1, max_length=questions.LONGEST_ID, examples=["B000000016"])]


def _page(make: Callable[..., TopList], asked: questions.ListQuestion, index: LiveIndex) -> TopList:
    """Makes one page of a top list; a page has at most `asked.k` movies.

    The argument `make` is a function that makes a top list of a given length with given options. The metrics
    count the pages that have fewer than `asked.k` movies, and the pages that list popular movies because the
    reviewer is unknown. No movie is on two pages of a top list. Normally, a page is a segment of a longer
    list. If the options ask for diversity or novelty, a page is a new list without the movies of the previous
    pages.
    """
    options = asked.options()
    if asked.offset and (asked.diversity or asked.novelty):
        if asked.offset % asked.k:
            raise ProblemError(422, "offset must be a multiple of k for a list with diversity or novelty.")
        shown = list(asked.exclude or ())
        for _ in range(asked.offset // asked.k):
            options["exclude"] = shown
            earlier: ListArguments = {**options, "because": False, "show_variants": False}
            shown += [movie.movie_id for movie in make(asked.k, earlier)]
        options["exclude"] = shown
        found = make(asked.k, options)
        found[:] = [replace(movie, rank=asked.offset + movie.rank) for movie in found]
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


@router.get("/recommend/reviewer/{reviewer_id:path}", **documented(questions.ListAnswer), tags=["lists"])
async def recommend_reviewer(
    request: Request, reviewer_id: ReviewerId, asked: Annotated[questions.ReviewerList, Query()]
) -> Response:
    """Lists the movies that suit a reviewer best, best movie first."""
    return await _recommend(request, reviewer_id, asked)


@router.post("/recommend/reviewer", **documented(questions.ListAnswer), tags=["lists"])
async def ask_for_reviewer(request: Request, asked: questions.ReviewerQuestion) -> Response:
    """Lists the movies that suit a reviewer best, with the options in the body of the request."""
    return await _recommend(request, asked.reviewer_id, asked)


async def _recommend(request: Request, reviewer_id: str, asked: questions.ReviewerList) -> Response:
    index = index_of(request, reviewer_id)

    def question(engine: Engine) -> responses.Response:
        def make(k: int, options: ListArguments) -> TopList:
            return engine.recommend(reviewer_id, k, fallback=asked.fallback, **options)

        return responses.list_of_reviewer(reviewer_id, asked.k, _page(make, asked, index))

    shown = Shown("recommend/reviewer", reviewer_id=reviewer_id, first_rank=asked.offset + 1)
    return await answer(request, index, question, shown)


@router.post("/recommend/reviewers", **documented(questions.ListsAnswer), tags=["lists"])
async def recommend_reviewers(request: Request, asked: questions.ReviewersQuestion) -> Response:
    """Lists the movies that suit each of several reviewers best; each list has a recommendation_id."""
    places_by_index: dict[LiveIndex, list[int]] = {}
    for place, reviewer_id in enumerate(asked.reviewer_ids):
        places_by_index.setdefault(index_of(request, reviewer_id), []).append(place)
    lists = [b""] * len(asked.reviewer_ids)
    headers = {}
    for index, places in places_by_index.items():
        engine = index.engine
        headers["X-Index-Build"] = engine.build
        made = await index.ask(_lists_of_several(request, index, asked, places), engine)
        for place, content in zip(places, made, strict=True):
            lists[place] = content
    content = b'{"lists":[' + b",".join(lists) + b"]}"
    return Response(content, media_type="application/json", headers=headers)


def _lists_of_several(
    request: Request, index: LiveIndex, asked: questions.ReviewersQuestion, places: Sequence[int]
) -> Callable[[Engine], list[bytes]]:
    """Returns a function that makes top lists as JSON, one list for each reviewer in `places`.

    The argument `places` holds positions of reviewers in the list `asked.reviewer_ids` of the request.
    """
    reviewer_ids = [asked.reviewer_ids[place] for place in places]

    def question(engine: Engine) -> list[bytes]:
        lists = engine.recommend_many(reviewer_ids, asked.k, fallback=asked.fallback, **asked.options())
        made = []
        for reviewer_id, items in zip(reviewer_ids, lists, strict=True):
            _count(items, asked, index)
            found = responses.list_of_reviewer(reviewer_id, asked.k, items)
            found["recommendation_id"] = uuid.uuid4().hex
            if request.app.state.trial is not None:
                found["experiment_arm"] = index.arm
            shown = Shown("recommend/reviewers", reviewer_id=reviewer_id)
            expose(request, index, engine, found["recommendation_id"], found, shown)
            made.append(to_json(found))
        return made

    return question


@router.post("/recommend/ratings", **documented(questions.ListAnswer), tags=["lists"])
async def recommend_ratings(request: Request, asked: questions.RatingsQuestion) -> Response:
    """Lists the movies that suit a newcomer best, from the newcomer's ratings alone."""
    index = index_of(request)

    def question(engine: Engine) -> responses.Response:
        def make(k: int, options: ListArguments) -> TopList:
            return engine.recommend_for(asked.ratings, k, **options)

        items = _page(make, asked, index)
        unknown = [movie_id for movie_id in asked.ratings if not engine.holds_movie(movie_id)]
        return responses.list_of_ratings(asked.ratings, unknown, asked.k, items)

    return await answer(request, index, question, Shown("recommend/ratings", first_rank=asked.offset + 1))


@router.post("/recommend/group", **documented(questions.ListAnswer), tags=["lists"])
async def recommend_group(request: Request, asked: questions.GroupQuestion) -> Response:
    """Lists the movies that suit several reviewers together, such as a household."""
    index = index_of(request, "\n".join(sorted(set(asked.reviewer_ids))))

    def question(engine: Engine) -> responses.Response:
        ids = asked.reviewer_ids

        def make(k: int, options: ListArguments) -> TopList:
            return engine.recommend_group(ids, k, strategy=asked.strategy, **options)

        return responses.list_of_group(ids, asked.strategy, asked.k, _page(make, asked, index))

    return await answer(request, index, question, Shown("recommend/group", first_rank=asked.offset + 1))


@router.get("/recommend/movie/{movie_id:path}", **documented(questions.AudienceAnswer), tags=["lists"])
async def recommend_movie(
    request: Request, movie_id: MovieId, asked: Annotated[questions.AudienceQuestion, Query()]
) -> Response:
    """Lists the reviewers who are most likely to review and like a movie."""

    def question(engine: Engine) -> responses.Response:
        found = engine.reviewers_for(movie_id, asked.k, because=asked.because)
        return responses.audience(movie_id, engine.title(movie_id), asked.k, found)

    return await answer(request, index_of(request), question)


@router.get("/similar/movie/{movie_id:path}", **documented(questions.SimilarMoviesAnswer), tags=["similar"])
async def similar_movie(
    request: Request, movie_id: MovieId, asked: Annotated[questions.SimilarMovieQuestion, Query()]
) -> Response:
    """Lists the movies that are most similar to a movie."""

    def question(engine: Engine) -> responses.Response:
        if asked.offset and asked.diversity:
            raise ProblemError(422, "offset must be 0 for a list with diversity; ask for a longer list.")
        found = engine.similar(movie_id, asked.offset + asked.k, **asked.options())
        return responses.similar_movies(movie_id, engine.title(movie_id), found[asked.offset :])

    shown = Shown("similar/movie", "similar", first_rank=asked.offset + 1)
    return await answer(request, index_of(request), question, shown)


@router.get(
    "/similar/reviewer/{reviewer_id:path}", **documented(questions.SimilarReviewersAnswer), tags=["similar"]
)
async def similar_reviewer(
    request: Request, reviewer_id: ReviewerId, asked: Annotated[questions.Question, Query()]
) -> Response:
    """Lists the reviewers who are most similar to a reviewer."""

    def question(engine: Engine) -> responses.Response:
        found = engine.similar_reviewers(reviewer_id, asked.k)
        return responses.similar_reviewers(reviewer_id, asked.k, found)

    return await answer(request, index_of(request, reviewer_id), question)


@router.post("/predict", **documented(questions.PredictionsAnswer), tags=["ratings"])
async def predict(request: Request, asked: questions.PredictQuestion) -> Response:
    """Predicts the ratings that a reviewer would give to given movies."""

    def question(engine: Engine) -> responses.Response:
        found = engine.predictions(asked.reviewer_id, engine.known_movies(asked.movie_ids))
        return responses.predictions(asked.reviewer_id, found)

    return await answer(request, index_of(request, asked.reviewer_id), question)


@router.get("/movies", **documented(questions.MatchesAnswer), tags=["movies"])
async def search_movies(request: Request, asked: Annotated[questions.SearchQuestion, Query()]) -> Response:
    """Finds the movies whose titles match a piece of a title, best match first."""

    def question(engine: Engine) -> responses.Response:
        return responses.title_matches(asked.title, engine.find_movies(asked.title, asked.k))

    return await answer(request, index_of(request), question)


@router.get("/movies/{movie_id:path}", **documented(questions.MovieAnswer), tags=["movies"])
async def movie(request: Request, movie_id: MovieId) -> Response:
    """Describes a movie: catalogue entry, number of reviews by rating and by year, and variants."""
    return await answer(request, index_of(request), lambda engine: responses.profile(engine.movie(movie_id)))


@router.get("/reviewers/{reviewer_id:path}", **documented(questions.ReviewerAnswer), tags=["reviewers"])
async def reviewer(
    request: Request, reviewer_id: ReviewerId, asked: Annotated[questions.Question, Query()]
) -> Response:
    """Describes a reviewer: the number of reviews by rating, and the latest reviews."""
    index = index_of(request, reviewer_id)
    return await answer(
        request, index, lambda engine: responses.profile(engine.reviewer(reviewer_id, asked.k))
    )


@router.get("/info", tags=["service"], response_class=Response)
async def info(request: Request) -> Response:
    """Describes the index: counts, settings, and metrics that were measured on held-out reviews."""
    return await answer(request, index_of(request), lambda engine: engine.info())
