"""What an evaluation reads: reviews to divide by a protocol, or given pairs of training and test files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.config.sections import IngestConfig
from engine.errors import DataError
from pipelines.dataset.copies import copy_groups
from pipelines.dataset.films import film_rows
from pipelines.dataset.reviews import Reviews, make_reviews, rating_levels, read_reviews
from pipelines.dataset.sentiment import read_sentiment
from pipelines.dataset.words import read_words
from pipelines.evaluation.given_candidates import Negatives, read_negatives
from pipelines.evaluation.protocols import Fold, fold_of
from pipelines.evaluation.similar_movies import Pairs, read_links
from pipelines.ingest.accounting import Accounting
from pipelines.ingest.ingest import ingest
from pipelines.reading.reviews import MIN_TEXT_LENGTH
from pipelines.work.database import open_database

if TYPE_CHECKING:
    import duckdb
    from scipy.sparse import csr_array

Strings = NDArray[np.str_]

_ORDER = "reviewer_row, time, file, line"
"""As `read_reviews` has them."""


class Prepared(NamedTuple):
    """Reviews to divide by a protocol."""

    reviews: Reviews
    groups: tuple[NDArray[np.int64], ...]
    """Which of them are copies of each other, as `copy_groups` gives it."""
    accounting: Accounting
    """What became of every row of the files."""
    links: Pairs
    """Which movies the metadata links, as `read_links` gives it."""
    negatives: Negatives | None
    """The candidates, where a file of them was given."""
    words: csr_array
    """What metadata says of the movies, as `read_words` gives it."""


class Given(NamedTuple):
    """Reviews that were divided before."""

    folds: list[Fold]
    accountings: list[Accounting]
    """What became of every row, file by file: the training and the test file of each fold."""
    links: Pairs
    """As in `Prepared`, of movies that the same file has reviews of."""
    negatives: Negatives | None
    """As in `Prepared`."""
    words: csr_array
    """As in `Prepared`; of movies that several files have, what the first says that knows them."""


class Pair(NamedTuple):
    """A given split."""

    train: Path
    test: Path


class _Table(NamedTuple):
    """One file's reviews with the ids of the outside, by reviewer and time."""

    reviewer_ids: Strings
    movie_ids: Strings
    ratings: NDArray[np.float64] | None
    times: NDArray[np.int64]
    texts: NDArray[np.int64]
    titles: dict[str, str | None]
    accounting: Accounting
    described_ids: Strings
    """Those of the movies, in the order of `words`."""
    words: csr_array
    link_ids: tuple[Strings, Strings]
    sentiment: NDArray[np.float32] | None


def read_for_protocol(
    reviews: Sequence[Path],
    metadata: Sequence[Path],
    config: IngestConfig,
    negatives: Path | None = None,
    *,
    sentiment: bool = False,
) -> Prepared:
    """Reads reviews, and which of them are copies of each other; their sentiment too, if it is wanted.

    Raises:
        EngineError: as `ingest`, and as `read_sentiment`.
    """
    with _ingested(reviews, metadata, config) as (database, accounting):
        found = read_reviews(database)
        if sentiment:
            found = replace(found, sentiment=read_sentiment(database, threads=config.threads))
        titles = database.execute("select title from movies order by movie_row").fetchall()
        films = film_rows([title for (title,) in titles])
        candidates = None
        if negatives is not None:
            ids = (_ids(database, name) for name in ("reviewer", "movie"))
            candidates = read_negatives(negatives, *ids)
        groups = copy_groups(found, films, _texts(database))
        return Prepared(found, groups, accounting, read_links(database), candidates, read_words(database))


def read_pairs(
    pairs: Sequence[Pair],
    metadata: Sequence[Path],
    config: IngestConfig,
    negatives: Path | None = None,
    *,
    sentiment: bool = False,
) -> Given:
    """Reads given splits, one fold a pair; reviewers and movies have the same rows in all of them.

    Nothing is filtered by counts: a test review of a reviewer or a movie that training does not have counts.
    Test reviews with a copy in training, and those of a pair that training has as well, move to training. The
    sentiment is that of the training files, if it is wanted: the words of the test files are not scored.

    Raises:
        EngineError: as `ingest`, and as `read_sentiment`.
        DataError: some files have ratings and others have none.
    """
    config = replace(config, min_reviews_per_reviewer=1, min_reviews_per_movie=1)
    tables = [
        _read_table(path, metadata, config, sentiment=sentiment and path is pair.train)
        for pair in pairs
        for path in pair
    ]
    reviewer_ids = np.unique(np.concatenate([table.reviewer_ids for table in tables]))
    movie_ids = np.unique(np.concatenate([table.movie_ids for table in tables]))
    titles = {movie: title for table in tables for movie, title in table.titles.items() if title}
    films = film_rows([titles.get(movie) for movie in movie_ids.tolist()])
    ratings = [table.ratings for table in tables if table.ratings is not None]
    if ratings and len(ratings) < len(tables):
        raise DataError("Some of the given files have ratings and others have none; expected the same of all")
    levels = rating_levels(np.concatenate(ratings)) if ratings else None
    folds = [
        _fold(train, test, reviewer_ids, movie_ids, films, levels)
        for train, test in zip(tables[::2], tables[1::2], strict=True)
    ]
    linked = [
        np.stack([np.searchsorted(movie_ids, ids) for ids in table.link_ids], axis=1) for table in tables
    ]
    return Given(
        folds,
        [table.accounting for table in tables],
        np.unique(np.concatenate(linked), axis=0).astype(np.int64),
        None if negatives is None else read_negatives(negatives, reviewer_ids, movie_ids),
        _words(tables, movie_ids),
    )


def _words(tables: Sequence[_Table], movie_ids: Strings) -> csr_array:
    """The words of all movies, of each those of the first table that has any."""
    from scipy.sparse import csr_array, vstack

    words = csr_array(vstack([table.words for table in tables]))
    ids = np.concatenate([table.described_ids for table in tables])
    described = np.flatnonzero(np.diff(words.indptr))
    rows = np.searchsorted(movie_ids, ids[described])
    found, first = np.unique(rows, return_index=True)
    chosen = csr_array(
        (np.ones(len(found), np.float32), (found, described[first])), shape=(len(movie_ids), len(ids))
    )
    return csr_array(chosen @ words)


def _fold(
    train: _Table,
    test: _Table,
    reviewer_ids: Strings,
    movie_ids: Strings,
    films: NDArray[np.int64],
    levels: NDArray[np.float32] | None,
) -> Fold:
    sides = (train, test)
    reviewers = np.searchsorted(reviewer_ids, np.concatenate([side.reviewer_ids for side in sides]))
    movies = np.searchsorted(movie_ids, np.concatenate([side.movie_ids for side in sides]))
    held_out = np.repeat([False, True], [len(side.movie_ids) for side in sides])
    texts, times = (np.concatenate([getattr(side, field) for side in sides]) for field in ("texts", "times"))
    ratings = (
        None
        if levels is None
        else np.concatenate([side.ratings for side in sides if side.ratings is not None])
    )
    keys = reviewers * len(movie_ids) + movies
    twice = held_out & np.isin(keys, keys[~held_out])
    # Where times are equal, training comes first, as it was first.
    order = np.lexsort((held_out, times, reviewers))
    order = order[~twice[order]]
    reviews = make_reviews(
        reviewers[order],
        movies[order],
        None if ratings is None else ratings[order],
        times[order],
        num_reviewers=len(reviewer_ids),
        num_movies=len(movie_ids),
        levels=levels,
    )
    if train.sentiment is not None:
        unscored = np.full(len(test.movie_ids), np.nan, np.float32)
        reviews = replace(reviews, sentiment=np.concatenate([train.sentiment, unscored])[order])
    fold = fold_of(reviews, held_out[order], copy_groups(reviews, films, texts[order]))
    return fold._replace(num_leaks=fold.num_leaks + int(twice.sum()))


def _read_table(path: Path, metadata: Sequence[Path], config: IngestConfig, *, sentiment: bool) -> _Table:
    with _ingested([path], metadata, config) as (database, accounting):
        columns = database.execute(
            "select reviewer_id, movie_id, rating, coalesce(unix_review_time, 0) as time from reviews "
            f"order by {_ORDER}"
        ).fetchnumpy()
        ratings = np.ma.asarray(columns["rating"], dtype=np.float64)
        unrated = bool(np.ma.getmaskarray(ratings).all())
        movie_ids, links = _ids(database, "movie"), read_links(database)
        return _Table(
            reviewer_ids=np.asarray(columns["reviewer_id"], dtype=np.str_),
            movie_ids=np.asarray(columns["movie_id"], dtype=np.str_),
            ratings=None if unrated else np.asarray(ratings),
            times=np.asarray(columns["time"], dtype=np.int64),
            texts=_texts(database),
            titles=dict(database.execute("select movie_id, title from movies order by movie_row").fetchall()),
            accounting=accounting,
            described_ids=movie_ids,
            words=read_words(database),
            link_ids=(movie_ids[links[:, 0]], movie_ids[links[:, 1]]),
            sentiment=read_sentiment(database, threads=config.threads) if sentiment else None,
        )


@contextmanager
def _ingested(
    reviews: Sequence[Path], metadata: Sequence[Path], config: IngestConfig
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Accounting]]:
    with TemporaryDirectory(prefix="engine-evaluate-") as directory:
        database = open_database(
            Path(directory) / "work.duckdb", memory_limit=config.memory_limit, threads=config.threads
        )
        try:
            yield database, ingest(database, reviews, metadata, config, keep_text=True)
        finally:
            database.close()


def _ids(database: duckdb.DuckDBPyConnection, what: str) -> Strings:
    """The ids of the table's rows, in their order: "reviewer" or "movie"."""
    column = database.execute(f"select {what}_id as id from {what}s order by {what}_row").fetchnumpy()["id"]
    return np.asarray(column, dtype=np.str_)


def _texts(database: duckdb.DuckDBPyConnection) -> NDArray[np.int64]:
    """A number of each review's text, 0 where there is none or it is short: int64 [num_reviews]."""
    columns = database.execute(
        "select coalesce(unix_review_time, 0) as time, case when length(review_text) >= $min_length "
        f"then (hash(review_text) >> 1)::bigint else 0 end as text from reviews order by {_ORDER}",
        {"min_length": MIN_TEXT_LENGTH},
    ).fetchnumpy()
    return np.asarray(columns["text"], dtype=np.int64)
