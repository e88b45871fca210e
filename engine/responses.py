"""Builds the JSON objects that the web service sends, and that commands print with the option --json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from engine.answers import (
    Answer,
    LikelyReviewer,
    MoviePrediction,
    MovieProfile,
    ReviewerProfile,
    SimilarMovie,
    SimilarReviewer,
    TopList,
)

Response = dict[str, Any]


def list_of_reviewer(reviewer_id: str, k: int, items: TopList) -> Response:
    """Returns a dictionary to write as JSON: the top list of a reviewer.

    The dictionary has an entry `fallback` if popular movies are listed because the reviewer is unknown.
    """
    fallback = {} if items.fallback is None else {"fallback": items.fallback}
    return {"reviewer_id": reviewer_id, **fallback, **_list(k, items)}


def list_of_ratings(
    ratings: Mapping[str, float | None], unknown_movies: Sequence[str], k: int, items: TopList
) -> Response:
    """Returns a dictionary to write as JSON: a newcomer's top list, ratings, and ids of unknown movies."""
    return {"ratings": ratings, "unknown_movies": unknown_movies, **_list(k, items)}


def list_of_group(reviewer_ids: Sequence[str], strategy: str, k: int, items: TopList) -> Response:
    """Returns a dictionary to write as JSON: a group's top list, and the reviewers' ids without repeats."""
    return {"reviewer_ids": list(dict.fromkeys(reviewer_ids)), "strategy": strategy, **_list(k, items)}


def audience(movie_id: str, title: str | None, k: int, reviewers: Sequence[LikelyReviewer]) -> Response:
    """Returns a dictionary to write as JSON: the reviewers who are most likely to review and like a movie."""
    return {"movie_id": movie_id, "title": title, "k": k, "reviewers": _dicts(reviewers)}


def similar_movies(movie_id: str, title: str | None, movies: Sequence[SimilarMovie]) -> Response:
    """Returns a dictionary to write as JSON: the movies that are most similar to a movie."""
    return {"movie_id": movie_id, "title": title, "similar": _dicts(movies)}


def similar_reviewers(reviewer_id: str, k: int, reviewers: Sequence[SimilarReviewer]) -> Response:
    """Returns a dictionary to write as JSON: the reviewers who are most similar to a reviewer."""
    return {"reviewer_id": reviewer_id, "k": k, "similar": _dicts(reviewers)}


def predictions(reviewer_id: str, movies: Sequence[MoviePrediction]) -> Response:
    """Returns a dictionary to write as JSON: a reviewer's predicted ratings of given movies."""
    return {"reviewer_id": reviewer_id, "predictions": _dicts(movies)}


def profile(found: MovieProfile | ReviewerProfile) -> Response:
    """Returns a dictionary to write as JSON: the description of a movie or of a reviewer."""
    return found.to_dict()


def title_matches(title: str, matches: Sequence[Any]) -> Response:
    """Returns a dictionary to write as JSON: the movies whose titles match a piece of a title."""
    return {"title": title, "matches": [asdict(match) for match in matches]}


def _list(k: int, items: TopList) -> Response:
    """Returns a dictionary to write as JSON: a top list's movies, `variety` and `why_empty`.

    The dictionary has the entry `variety` only if `items.variety` is not None, and the entry `why_empty` only
    if `items.why_empty` is not None.
    """
    found: Response = {"k": k, "recommendations": _dicts(items)}
    if items.variety is not None:
        found["variety"] = asdict(items.variety)
    if items.why_empty is not None:
        found["why_empty"] = items.why_empty
    return found


def _dicts(items: Sequence[Answer]) -> list[Response]:
    return [item.to_dict() for item in items]
