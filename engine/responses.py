"""Answers each question as JSON: what commands print with --json, and what a service would send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from engine.answers import Answer, LikelyReviewer, MoviePrediction, SimilarMovie, SimilarReviewer, TopList

Response = dict[str, Any]


def list_of_reviewer(reviewer_id: str, k: int, items: TopList) -> Response:
    """Answers which movies suit a reviewer; says so where the popular list stands in."""
    fallback = {} if items.fallback is None else {"fallback": items.fallback}
    return {"reviewer_id": reviewer_id, **fallback, **_list(k, items)}


def list_of_ratings(
    ratings: Mapping[str, float | None], unknown_movies: Sequence[str], k: int, items: TopList
) -> Response:
    """Answers which movies suit someone with these ratings, of which the index does not know some movies."""
    return {"ratings": ratings, "unknown_movies": unknown_movies, **_list(k, items)}


def list_of_group(reviewer_ids: Sequence[str], strategy: str, k: int, items: TopList) -> Response:
    """Answers which movies suit several reviewers together; a reviewer given twice is one member."""
    return {"reviewer_ids": list(dict.fromkeys(reviewer_ids)), "strategy": strategy, **_list(k, items)}


def audience(movie_id: str, title: str | None, k: int, reviewers: Sequence[LikelyReviewer]) -> Response:
    """Answers which reviewers to tell about a movie."""
    return {"movie_id": movie_id, "title": title, "k": k, "reviewers": _dicts(reviewers)}


def similar_movies(movie_id: str, title: str | None, movies: Sequence[SimilarMovie]) -> Response:
    """Answers which movies are most like a movie."""
    return {"movie_id": movie_id, "title": title, "similar": _dicts(movies)}


def similar_reviewers(reviewer_id: str, k: int, reviewers: Sequence[SimilarReviewer]) -> Response:
    """Answers which reviewers have the nearest taste."""
    return {"reviewer_id": reviewer_id, "k": k, "similar": _dicts(reviewers)}


def predictions(reviewer_id: str, movies: Sequence[MoviePrediction]) -> Response:
    """Answers what a reviewer would give some movies."""
    return {"reviewer_id": reviewer_id, "predictions": _dicts(movies)}


def title_matches(title: str, matches: Sequence[Any]) -> Response:
    """Answers which movies a piece of a title may mean."""
    return {"title": title, "matches": [asdict(match) for match in matches]}


def _list(k: int, items: TopList) -> Response:
    """Returns a top list with its variety, where some was asked for, and why it is empty, where it is."""
    found: Response = {"k": k, "recommendations": _dicts(items)}
    if items.variety is not None:
        found["variety"] = asdict(items.variety)
    if items.why_empty is not None:
        found["why_empty"] = items.why_empty
    return found


def _dicts(items: Sequence[Answer]) -> list[Response]:
    return [item.to_dict() for item in items]
