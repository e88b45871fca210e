"""Makes the top lists of very many reviewers as columns (arrays of rows and scores) for output files.

The lists of many reviewers are made together, which is fast, if all options of the lists but `all_variants`
have their defaults. If an option such as `where` or `diversity` is set, `ListMaker` makes the lists one by
one. If a list that was made together with other lists holds fewer than k movies, `ListMaker` makes that list
again. A list holds the same movies whether it was made together with other lists or alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.answers import TopList
from engine.arrays import Floats, Rows, are_held, distinct
from engine.lists.maker import ListMaker
from engine.model.values import Reviewer, Reviewers
from engine.questions.arguments import ListOptions, check_k
from engine.search.candidates import CandidateSource
from engine.search.top_lists import TopLists, top_lists


class ListColumns(NamedTuple):
    """Holds the top lists of several reviewers as columns (arrays with one value for each listed movie)."""

    places: Rows
    """int64 [num], ascending: for each listed movie, the number of the reviewer whose list holds the movie.
    The reviewers are numbered from 0, in the order in which the lists were asked for."""
    ranks: NDArray[np.int32]
    """int32 [num]: the rank of each listed movie in its list, counted from 1."""
    movie_rows: Rows
    """int64 [num]: the row of each listed movie in the index."""
    scores: Floats
    """float32 [num]: the score of each listed movie."""
    relevance: Floats
    """float32 [num]: the relevance of each listed movie, which is the score without the weighted log chance
    of a like."""
    predicted_ratings: Floats | None
    """float32 [num]: the predicted rating of each listed movie, in stars; None if the data has no ratings."""
    like_probabilities: Floats | None
    """float32 [num]: the chance, from 0 to 1, that the reviewer likes each listed movie; None if the data has
    no ratings."""

    def select(self, chosen: Rows | NDArray[np.bool_]) -> ListColumns:
        """Returns columns that hold only the values of the chosen movies.

        The array `chosen` holds the positions of the chosen movies in the columns, or a bool for each listed
        movie, which is True if the movie is chosen.
        """
        columns: Any = (None if column is None else column[chosen] for column in self)
        return ListColumns(*columns)

    @classmethod
    def joined(cls, parts: Sequence[ListColumns], lengths: Sequence[int]) -> ListColumns:
        """Joins several `ListColumns`, at least one, column by column.

        The argument `lengths` holds the number of reviewers of each `ListColumns` in `parts`. To number all
        reviewers in one sequence, the method raises the numbers in `places` of each `ListColumns` by the
        number of reviewers in the preceding items of `parts`.
        """
        starts = np.cumsum([0, *lengths[:-1]])
        moved = [part._replace(places=part.places + start) for part, start in zip(parts, starts, strict=True)]
        columns: Any = (
            None if column[0] is None else np.concatenate(column) for column in zip(*moved, strict=True)
        )
        return cls(*columns)


class ColumnMaker:
    """Makes top lists for reviewers in the index, as `ListColumns`: arrays with a value per listed movie.

    Args:
        source: finds candidates, the movies from which a list is chosen.
        lists: makes lists one by one, if lists cannot be made together.
        hidden: maps the row of a reviewer to the rows of the movies that are hidden from this reviewer.
    """

    def __init__(
        self, source: CandidateSource, lists: ListMaker, hidden: Mapping[int, Rows] | None = None
    ) -> None:
        self._model = source.model
        self._lists = lists
        self._hidden = hidden or {}
        hidden_rows = lists.hidden_rows()
        if len(hidden_rows):
            source = _OpenSource(source, hidden_rows)
        self._candidates = self._of_films = source
        if lists.variants:
            counts = lists.movie_counts.astype(np.int64)
            # The count -1 makes a hidden variant the least preferred variant, so that a film is listed as a
            # variant that is not hidden.
            counts[hidden_rows] = -1
            self._of_films = _FilmSource(source, lists.variants.most_reviewed(counts))

    def make(self, reviewer_rows: Rows, k: int, options: ListOptions) -> ListColumns:
        """Makes the top lists of the given reviewers; ignores the options `because` and `show_variants`.

        Raises:
            EngineError: `k` or an option is wrong; the docstring of `ListMaker.make` says which errors can
                occur.
        """
        check_k(k)
        options = replace(options, because=False, show_variants=False)
        if options != ListOptions(all_variants=options.all_variants, because=False):
            return self._one_by_one(reviewer_rows, k, options)
        source = self._candidates if options.all_variants else self._of_films
        found = top_lists(source, reviewer_rows, k)
        columns = self._columns(found)
        is_short = (found.movie_rows < 0).any(axis=1)
        short = np.flatnonzero(is_short | np.isin(reviewer_rows, list(self._hidden)))
        if not len(short):
            return columns
        again = self._one_by_one(reviewer_rows[short], k, options)
        again = again._replace(places=short[again.places])
        kept = columns.select(~np.isin(columns.places, short))
        both = ListColumns.joined([kept, again], [0, 0])
        return both.select(np.lexsort((both.ranks, both.places)))

    def _columns(self, found: TopLists) -> ListColumns:
        listed = found.movie_rows >= 0
        places, columns = np.nonzero(listed)
        predicted, likes = None, None
        if found.probabilities is not None and self._model.rating is not None:
            chances = found.probabilities[listed]
            predicted = self._model.rating.summarize(chances).mean.astype(np.float32)
            likes = self._model.like_probability(chances)
        ranks, rows = (columns + 1).astype(np.int32), found.movie_rows[listed]
        scores, relevance = found.scores[listed], found.relevance[listed]
        return ListColumns(places, ranks, rows, scores, relevance, predicted, likes)

    def _one_by_one(self, reviewer_rows: Rows, k: int, options: ListOptions) -> ListColumns:
        lists = self._lists.make([self._reviewer(int(row)) for row in reviewer_rows], k, options)
        return self.columns_of(lists)

    def columns_of(self, lists: Sequence[TopList]) -> ListColumns:
        """Converts top lists to columns."""
        items = [(place, item) for place, found in enumerate(lists) for item in found]
        rated = self._model.rating is not None
        return ListColumns(
            np.array([place for place, _ in items], dtype=np.int64),
            np.array([item.rank for _, item in items], dtype=np.int32),
            self._lists.movies.rows([item.movie_id for _, item in items]),
            np.array([item.score for _, item in items], dtype=np.float32),
            np.array([item.relevance for _, item in items], dtype=np.float32),
            np.array([item.predicted_rating for _, item in items], dtype=np.float32) if rated else None,
            np.array([item.like_probability for _, item in items], dtype=np.float32) if rated else None,
        )

    def _reviewer(self, row: int) -> Reviewer:
        reviewer = self._model.reviewer(row)
        return reviewer._replace(hidden_rows=self._hidden[row]) if row in self._hidden else reviewer


class _OpenSource(CandidateSource):
    """Finds candidates without hidden movies; `hidden_rows`, int64 [num], ascending, names these movies."""

    def __init__(self, source: CandidateSource, hidden_rows: Rows) -> None:
        super().__init__(source.model, source.index, source.num_candidates)
        self._source = source
        self._hidden_rows = hidden_rows

    def find_many(self, reviewers: Reviewers, k: int) -> tuple[Rows, Rows]:
        places, movie_rows = self._source.find_many(reviewers, k)
        is_open = ~are_held(self._hidden_rows, movie_rows)
        return places[is_open], movie_rows[is_open]


class _FilmSource(CandidateSource):
    """Replaces a candidate by the most reviewed variant of the candidate's film; leaves out seen films."""

    def __init__(self, source: CandidateSource, films: Rows) -> None:
        super().__init__(source.model, source.index, source.num_candidates)
        self._source = source
        self._films = films

    def find_many(self, reviewers: Reviewers, k: int) -> tuple[Rows, Rows]:
        # Twice as many candidates are requested, since several candidates may be variants of one film.
        places, movie_rows = self._source.find_many(reviewers, 2 * k)
        histories = reviewers.histories
        seen = self.model.keys(histories.places, self._films[histories.movie_rows])
        keys = distinct(self.model.keys(places, self._films[movie_rows]))
        keys = keys[~are_held(np.sort(seen), keys)]
        return keys // self.model.num_movies, keys % self.model.num_movies
