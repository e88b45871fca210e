"""Reads a file of candidates: the movies that models rank for each reviewer, besides the held-out movies."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows
from engine.errors import DataError, SourceError
from pipelines.dataset.reviews import Reviews
from pipelines.measuring.ranking import pair_keys

Strings = NDArray[np.str_]


class GivenCandidates(NamedTuple):
    """Holds each reviewer's candidate movies; models rank the candidate movies and the held-out movies."""

    keys: Rows
    """The pairs of a reviewer and a candidate movie, each as one number `reviewer_row * num_movies +
    movie_row`, int64 [num_pairs], ascending."""
    account: dict[str, Any]
    """The counts of the file of candidates: pairs, reviewers, and ids that do not occur in the reviews."""

    def with_held_out(self, held_out: Reviews) -> Rows:
        """Adds held-out movies to the candidates; returns the pairs of reviewer and movie to rank.

        If a reviewer has no candidates, no held-out movie of the reviewer is in the returned pairs. Each
        returned pair of reviewer and movie is one number `reviewer_row * num_movies + movie_row`; the numbers
        are int64 [num_pairs], ascending.
        """
        reviewers = np.unique(self.keys // held_out.num_movies)
        return np.union1d(self.keys, pair_keys(held_out)[np.isin(held_out.reviewer_rows, reviewers)])


def read_candidates(path: Path, reviewer_ids: Strings, movie_ids: Strings) -> GivenCandidates:
    """Reads each reviewer's candidate movies from a UTF-8 file of values separated by commas or tabs.

    Each line of the file of candidates holds a reviewer's id and one or more movie ids. The file of
    candidates may hold several lines for the same reviewer. A first line that begins with `reviewer` or
    `reviewer_id` is a heading.

    Args:
        path: the file of candidates.
        reviewer_ids: all reviewer ids of the evaluation, ascending.
        movie_ids: all movie ids of the evaluation, ascending.

    Raises:
        SourceError: the file of candidates cannot be read, or a line of the file names no movie.
        DataError: no line of the file has both a reviewer and a movie that occur in the reviews.
    """
    given_reviewers, given_movies = _read_pairs(Path(path))
    reviewer_rows, reviewer_known = _rows_of(given_reviewers, reviewer_ids)
    movie_rows, movie_known = _rows_of(given_movies, movie_ids)
    known = reviewer_known & movie_known
    if not known.any():
        raise DataError(
            f"No pair of {path} has a reviewer and a movie of the reviews; expected lines of a reviewer's id "
            "and movie ids, as the review files write them"
        )
    keys = np.unique(reviewer_rows[known] * len(movie_ids) + movie_rows[known])
    account = {
        "file": str(path),
        "pairs": len(given_movies),
        "used": len(keys),
        "reviewers": len(np.unique(reviewer_rows[known])),
        "unknown_reviewers": len(np.unique(given_reviewers[~reviewer_known])),
        "unknown_movies": len(np.unique(given_movies[~movie_known])),
    }
    return GivenCandidates(keys, account)


def _read_pairs(path: Path) -> tuple[Strings, Strings]:
    reviewers: list[str] = []
    movies: list[str] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            delimiter = "\t" if "\t" in lines.readline() else ","
            lines.seek(0)
            table = csv.reader(lines, delimiter=delimiter)
            for number, row in enumerate(table):
                if not row or (number == 0 and row[0].strip().lower() in ("reviewer", "reviewer_id")):
                    continue
                named = [cell.strip() for cell in row[1:] if cell.strip()]
                if not named:
                    raise SourceError(
                        f"Line {table.line_num:,} of {path} names no movie; expected a reviewer's id and "
                        "movie ids, between commas or tabs",
                        path=path,
                        line=table.line_num,
                    )
                reviewers += [row[0].strip()] * len(named)
                movies += named
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"Cannot read candidates from {path}: {error}", path=path) from error
    return np.asarray(reviewers, dtype=np.str_), np.asarray(movies, dtype=np.str_)


def _rows_of(given: Strings, ids: Strings) -> tuple[Rows, NDArray[np.bool_]]:
    """Returns the position of each given id in the sorted `ids`, and whether `ids` contains the given id."""
    rows = np.minimum(np.searchsorted(ids, given), len(ids) - 1)
    return rows.astype(np.int64), ids[rows] == given
