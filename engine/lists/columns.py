"""Top lists of many reviewers as columns, without a card or a title: what is written out for everyone.

Where nothing but the variants of films narrows the lists, they are made for all reviewers of a batch at once;
else, and where that leaves a list short, one by one. Both ways give the same lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.answers import TopList
from engine.arrays import Floats, Rows, are_held, distinct
from engine.artifact.ids import IdTable
from engine.catalogue.variants import Variants
from engine.lists.maker import ListMaker
from engine.model.scorer import Reviewers
from engine.questions.options import ListOptions, check_k
from engine.search.candidates import CandidateSource
from engine.search.top_lists import TopLists, top_lists


class ListColumns(NamedTuple):
    """Lists one below the other, best first: every column has one value a listed movie."""

    places: Rows
    """int64 [num], whose list it is: a position among the reviewers asked for, ascending."""
    ranks: NDArray[np.int32]
    """int32 [num], counted from 1 in each list."""
    movie_rows: Rows
    """int64 [num]."""
    scores: Floats
    """float32 [num]."""
    relevance: Floats
    """float32 [num]."""
    predicted_ratings: Floats | None
    """float32 [num], in stars; None, like the next, where the data has no ratings."""
    like_probabilities: Floats | None
    """float32 [num], 0 to 1."""

    def select(self, chosen: Rows | NDArray[np.bool_]) -> ListColumns:
        """Some of the lines, by their positions or by a mark on each."""
        columns: Any = (None if column is None else column[chosen] for column in self)
        return ListColumns(*columns)

    @classmethod
    def joined(cls, parts: Sequence[ListColumns], lengths: Sequence[int]) -> ListColumns:
        """Puts columns one below the other, the places of each counted on from those before.

        Args:
            parts: at least one.
            lengths: for how many reviewers each was made.
        """
        starts = np.cumsum([0, *lengths[:-1]])
        moved = [part._replace(places=part.places + start) for part, start in zip(parts, starts, strict=True)]
        columns: Any = (
            None if column[0] is None else np.concatenate(column) for column in zip(*moved, strict=True)
        )
        return cls(*columns)


class ColumnMaker:
    """Makes the lists of known reviewers as columns.

    Args:
        source: finds the candidates, and knows the model that scores them.
        lists: makes lists under any conditions.
        movies: the ids of the movies.
        variants: which movies are one film; none where nobody looked.
        movie_counts: int [num_movies], each movie's reviews, where there are variants.
    """

    def __init__(
        self,
        source: CandidateSource,
        lists: ListMaker,
        movies: IdTable,
        variants: Variants | None,
        movie_counts: NDArray[np.integer] | None,
    ) -> None:
        self._model = source.model
        self._lists = lists
        self._movies = movies
        self._candidates = self._of_films = source
        if variants and movie_counts is not None:
            self._of_films = _FilmSource(source, variants.most_reviewed(np.asarray(movie_counts)))

    def make(self, reviewer_rows: Rows, k: int, options: ListOptions) -> ListColumns:
        """Makes the lists of some reviewers.

        Args:
            reviewer_rows: int64 [num_reviewers].
            k: how long the lists are, at least 1; shorter only where no more movies match.
            options: what the lists may hold; what it says of reasons and variants shown is left out.

        Raises:
            EngineError: as of `ListMaker.make`.
        """
        check_k(k)
        plain = ListOptions(all_variants=options.all_variants)
        if plain != _without_words(options):
            return self._one_by_one(reviewer_rows, k, options)
        source = self._candidates if options.all_variants else self._of_films
        found = top_lists(source, reviewer_rows, k)
        columns = self._columns(found)
        short = np.flatnonzero((found.movie_rows < 0).any(axis=1))
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
        ranks = (columns + 1).astype(np.int32)
        rows = found.movie_rows[listed]
        return ListColumns(
            places, ranks, rows, found.scores[listed], found.relevance[listed], predicted, likes
        )

    def _one_by_one(self, reviewer_rows: Rows, k: int, options: ListOptions) -> ListColumns:
        lists = self._lists.make([self._model.reviewer(int(row)) for row in reviewer_rows], k, options)
        return _as_columns(lists, self._movies, rated=self._model.rating is not None)


class _FilmSource(CandidateSource):
    """Finds candidates of which each stands for its film, and none of a film that the reviewer has seen."""

    def __init__(self, source: CandidateSource, films: Rows) -> None:
        super().__init__(source.model, source.index, source.num_candidates)
        self._source = source
        self._films = films

    def find_many(self, reviewers: Reviewers, k: int) -> tuple[Rows, Rows]:
        # Twice as many, since several that are found may be one film.
        places, movie_rows = self._source.find_many(reviewers, 2 * k)
        histories = reviewers.histories
        seen = self.model.keys(histories.places, self._films[histories.movie_rows])
        keys = distinct(self.model.keys(places, self._films[movie_rows]))
        keys = keys[~are_held(np.sort(seen), keys)]
        return keys // self.model.num_movies, keys % self.model.num_movies


def _without_words(options: ListOptions) -> ListOptions:
    """The options that decide what is listed, without those that only say more of it."""
    return ListOptions(
        **{
            name: getattr(options, name)
            for name in ListOptions.__dataclass_fields__
            if name not in ("because", "show_variants")
        }
    )


def _as_columns(lists: Sequence[TopList], movies: IdTable, *, rated: bool) -> ListColumns:
    items = [(place, item) for place, found in enumerate(lists) for item in found]
    return ListColumns(
        np.array([place for place, _ in items], dtype=np.int64),
        np.array([item.rank for _, item in items], dtype=np.int32),
        movies.rows([item.movie_id for _, item in items]),
        np.array([item.score for _, item in items], dtype=np.float32),
        np.array([item.relevance for _, item in items], dtype=np.float32),
        np.array([item.predicted_rating for _, item in items], dtype=np.float32) if rated else None,
        np.array([item.like_probability for _, item in items], dtype=np.float32) if rated else None,
    )
