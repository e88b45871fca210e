"""Describes a movie or a reviewer by the reviews and the catalogue entries in the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.answers import MovieProfile, ReviewedMovie, ReviewerProfile, SimilarMovie, SimilarReviewer

if TYPE_CHECKING:
    from engine.opened import OpenedIndex


def movie_profile(index: OpenedIndex, movie_id: str, similar: Sequence[SimilarMovie]) -> MovieProfile:
    """Describes a movie by its card and its reviews; an unknown id raises an UnknownIdError.

    The argument `similar` holds the movies to list in the profile as similar.
    """
    row = index.movie_row(movie_id)
    histories = index.model.histories
    reviews = np.flatnonzero(histories.movie_rows == row)
    counts, mean = _ratings(index, histories.level_rows[reviews])
    card = index.cards.card(row)
    return MovieProfile(
        movie_id=movie_id,
        title=card["title"],
        num_reviews=len(reviews),
        mean_rating=mean,
        rating_counts=counts,
        reviews_by_year=_by_year(index.history_times[reviews]),
        variants=index.lists.other_variants(row),
        cold=bool(index.cold_movies[row]),
        card=card,
        similar=tuple(similar),
    )


def reviewer_profile(
    index: OpenedIndex, reviewer_id: str, most: int, similar: Sequence[SimilarReviewer]
) -> ReviewerProfile:
    """Describes a reviewer by the reviewer's reviews; an unknown id raises an UnknownIdError.

    The argument `most` is the largest number of the reviewer's latest reviews to list in the profile. The
    argument `similar` holds the reviewers to list in the profile as similar.
    """
    if not index.knows_reviewer(reviewer_id):
        index.reviewer_row(reviewer_id)  # This call raises an UnknownIdError that names similar ids.
    (movie_rows, level_rows), times = index.feedback.whole_history(reviewer_id)
    counts, mean = _ratings(index, level_rows)
    latest = range(len(times) - 1, max(0, len(times) - most) - 1, -1)
    return ReviewerProfile(
        reviewer_id=reviewer_id,
        num_reviews=len(times),
        mean_rating=mean,
        rating_counts=counts,
        reviews_by_year=_by_year(times),
        history=tuple(
            _review(index, int(movie_rows[place]), int(level_rows[place]), int(times[place]))
            for place in latest
        ),
        similar=tuple(similar),
    )


def _review(index: OpenedIndex, row: int, level_row: int, time: int) -> ReviewedMovie:
    """Describes a review, given the movie's row, the position of the rating level and the unix time."""
    rating = index.model.rating
    card = index.cards.card(row)
    return ReviewedMovie(
        movie_id=index.movies.id(row),
        title=card["title"],
        rating=None if rating is None else float(rating.levels[level_row]),
        day=datetime.fromtimestamp(time, UTC).date().isoformat() if time > 0 else None,
        card=card,
    )


def _by_year(times: NDArray[np.integer]) -> Mapping[str, int]:
    """Counts the reviews of each year in UTC from unix times; a time of 0 is unknown and is not counted."""
    years, numbers = np.unique(times[times > 0].astype("datetime64[s]").astype("M8[Y]"), return_counts=True)
    return dict(zip(years.astype(str).tolist(), numbers.tolist(), strict=True))


def _ratings(
    index: OpenedIndex, level_rows: NDArray[np.integer]
) -> tuple[Mapping[str, int] | None, float | None]:
    """Counts the ratings of each level, and averages the ratings; (None, None) if the data has no ratings."""
    rating = index.model.rating
    if rating is None:
        return None, None
    levels = rating.levels.astype(np.float64)
    counts = np.bincount(level_rows, minlength=len(levels))
    names = [str(round(level, 4)) for level in rating.levels.tolist()]
    mean = round(float(counts @ levels / counts.sum()), 4) if counts.sum() else None
    return dict(zip(names, counts.tolist(), strict=True)), mean
