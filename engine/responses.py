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
    """Returns the top list of a reviewer for JSON; the entry `fallback` marks a list of popular movies."""
    fallback = {} if items.fallback is None else {"fallback": items.fallback}
    return {"reviewer_id": reviewer_id, **fallback, **_list(k, items)}


def list_of_ratings(
    ratings: Mapping[str, float | None], unknown_movies: Sequence[str], k: int, items: TopList
) -> Response:
    """Returns a newcomer's top list for JSON, with the newcomer's ratings and the ids of unknown movies."""
    return {"ratings": ratings, "unknown_movies": unknown_movies, **_list(k, items)}


def list_of_group(reviewer_ids: Sequence[str], strategy: str, k: int, items: TopList) -> Response:
    """Returns the top list of a group of reviewers for JSON; a repeated reviewer id is listed once."""
    return {"reviewer_ids": list(dict.fromkeys(reviewer_ids)), "strategy": strategy, **_list(k, items)}


def audience(movie_id: str, title: str | None, k: int, reviewers: Sequence[LikelyReviewer]) -> Response:
    """Returns the reviewers who are most likely to review and like a movie, for JSON."""
    return {"movie_id": movie_id, "title": title, "k": k, "reviewers": _dicts(reviewers)}


def similar_movies(movie_id: str, title: str | None, movies: Sequence[SimilarMovie]) -> Response:
    """Returns the movies that are most similar to a movie, for JSON."""
    return {"movie_id": movie_id, "title": title, "similar": _dicts(movies)}


def similar_reviewers(reviewer_id: str, k: int, reviewers: Sequence[SimilarReviewer]) -> Response:
    """Returns the reviewers who are most similar to a reviewer, for JSON."""
    return {"reviewer_id": reviewer_id, "k": k, "similar": _dicts(reviewers)}


def predictions(reviewer_id: str, movies: Sequence[MoviePrediction]) -> Response:
    """Returns a reviewer's predicted ratings of given movies, for JSON."""
    return {"reviewer_id": reviewer_id, "predictions": _dicts(movies)}


def profile(found: MovieProfile | ReviewerProfile) -> Response:
    """Returns the description of a movie or of a reviewer, for JSON."""
    return found.to_dict()


def title_matches(title: str, matches: Sequence[Any]) -> Response:
    """Returns the movies whose titles match a piece of a title, for JSON."""
    return {"title": title, "matches": [asdict(match) for match in matches]}


def _list(k: int, items: TopList) -> Response:
    """Returns the movies of a top list for JSON; adds `variety` and `why_empty` where the list has them."""
    found: Response = {"k": k, "recommendations": _dicts(items)}
    if items.variety is not None:
        found["variety"] = asdict(items.variety)
    if items.why_empty is not None:
        found["why_empty"] = items.why_empty
    return found


def _dicts(items: Sequence[Answer]) -> list[Response]:
    return [item.to_dict() for item in items]
