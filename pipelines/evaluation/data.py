"""Reads the reviews of an evaluation, and divides the reviews into training and test reviews."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows
from engine.config.sections import Config, IngestConfig
from engine.errors import DataError, SourceError
from pipelines.dataset.copies import copy_groups, read_texts
from pipelines.dataset.films import film_rows
from pipelines.dataset.reviews import (
    COUNT_LEVELS,
    like_count_of,
    make_reviews,
    rating_levels,
    ratings_of,
    read_columns,
    read_reviews,
)
from pipelines.dataset.sentiment import read_sentiment
from pipelines.dataset.words import read_words
from pipelines.evaluation.given_candidates import GivenCandidates, Strings, read_candidates
from pipelines.evaluation.protocols import Fold, fold_of, make_folds
from pipelines.ingest.accounting import Accounting
from pipelines.ingest.ingest import ingest
from pipelines.inputs.spool import Input, file_of_input, is_read_once
from pipelines.similar.traits import Described, Traits, read_described, read_links, traits_of
from pipelines.work.database import work_database

if TYPE_CHECKING:
    import duckdb
    from scipy.sparse import csr_array

GIVEN = "given"
"""The value of `EvaluationData.protocol` if no protocol divides the reviews, because the user gave pairs of a
training file and a test file."""


class EvaluationData(NamedTuple):
    """Holds the reviews of an evaluation, divided into folds, and the metadata of the reviewed movies."""

    protocol: str
    """The name of the protocol that divides the reviews: one of PROTOCOLS, or GIVEN."""
    folds: Iterable[Fold]
    """The folds, each with training and test reviews; the rows of reviewers and movies are the same in all
    folds."""
    accountings: list[Accounting]
    """The counts of kept and dropped rows of the review files. If a protocol divides the reviews into
    training and test reviews, `accountings` has a single entry, for all review files together. If the user
    gave pairs of a training file and a test file, `accountings` has one entry for each training file and for
    each test file."""
    traits: Traits
    """The metadata by which movies are compared, such as categories and series, and all links from a movie's
    metadata to other movies, such as by "also bought"."""
    candidates: GivenCandidates | None
    """The candidate movies that models rank for each reviewer; None if models rank the whole catalogue."""
    words: csr_array
    """The word counts of each movie's metadata, as the sparse matrix that `read_words` returns."""


class _File(NamedTuple):
    """Holds the reviews of one training file or one test file, and the metadata of the reviewed movies.

    The row of a reviewer is a position in `reviewer_ids`, and the row of a movie is a position in
    `movie_ids`.
    """

    reviewer_ids: Strings
    movie_ids: Strings
    reviewer_rows: Rows
    movie_rows: Rows
    ratings: Doubles | None
    like_count: float | None
    """The least count that is a like, if the ratings are counts such as numbers of plays; None for ratings in
    stars."""
    times: NDArray[np.int64]
    texts: NDArray[np.int64]
    sentiment: Floats | None
    described: Described
    links: Rows
    words: csr_array
    accounting: Accounting


def read_for_protocol(
    reviews: Sequence[Input],
    metadata: Sequence[Input],
    protocol: str,
    config: Config,
    negatives: Path | None = None,
    *,
    sentiment: bool = False,
) -> EvaluationData:
    """Reads review files, and divides the reviews into training and test reviews by a protocol.

    If a review has copies, the review and the copies are either all training reviews or all test reviews.

    Args:
        reviews: the review files.
        metadata: the files with the metadata of movies.
        protocol: the name of the protocol, one of PROTOCOLS.
        config: the settings; the setting `seed` decides all random choices of the protocol.
        negatives: a file of candidate movies, in the format of `read_candidates`; None if models rank the
            whole catalogue.
        sentiment: True to score the sentiment of the texts of all reviews.

    Raises:
        EngineError: the files cannot be read, or have no texts whose sentiment could be scored.
    """
    with _ingested(reviews, metadata, config.ingest) as (database, accounting):
        found = read_reviews(database, config)
        if sentiment:
            found = replace(found, sentiment=read_sentiment(database, threads=config.ingest.threads))
        described = read_described(database)
        films = film_rows(described.titles)
        groups = copy_groups(found, films, read_texts(database))
        ids = (_ids(database, "reviewer"), _ids(database, "movie"))
        return EvaluationData(
            protocol,
            make_folds(found, protocol, groups=groups, seed=config.seed),
            [accounting],
            traits_of(described, read_links(database)),
            None if negatives is None else read_candidates(negatives, *ids),
            read_words(database),
        )


def read_pairs(
    pairs: Sequence[tuple[Path, Path]],
    metadata: Sequence[Input],
    config: Config,
    negatives: Path | None = None,
    *,
    sentiment: bool = False,
) -> EvaluationData:
    """Reads pairs of a training file and a test file, and makes a fold of each pair.

    Reviewers and movies with few reviews are kept. A test review is kept even if the reviewer or the movie of
    the review has no training reviews. A test review is dropped if the reviewer has a training review of the
    same movie. A test review moves to the training reviews if a training review by the same reviewer is a
    copy, such as a review of another variant (DVD, Blu-ray) of the film. The metadata of movies without
    reviews is ignored.

    Args:
        pairs: a training file and a test file for each fold.
        metadata: the files with the metadata of movies.
        config: the settings; the settings of ingestion and the setting `rating.like_rating` are used.
        negatives: a file of candidate movies, in the format of `read_candidates`; None if models rank the
            whole catalogue.
        sentiment: True to score the sentiment of the texts of training reviews.

    Raises:
        EngineError: the files cannot be read, or have no texts whose sentiment could be scored.
        DataError: some files have ratings, and some files have no ratings.
    """
    for path in map(file_of_input, filter(is_read_once, metadata)):
        raise SourceError(
            f"{path} can be read only once, but each file of reviews needs it; save it to a file.", path=path
        )
    every = replace(config.ingest, min_reviews_per_reviewer=1, min_reviews_per_movie=1)
    config = replace(config, ingest=every)
    files = [
        _read_file(path, metadata, config, sentiment=sentiment and is_train)
        for pair in pairs
        for path, is_train in zip(pair, (True, False), strict=True)
    ]
    reviewer_ids = np.unique(np.concatenate([file.reviewer_ids for file in files]))
    movie_ids = np.unique(np.concatenate([file.movie_ids for file in files]))
    files = [_renumbered(file, reviewer_ids, movie_ids) for file in files]
    described, words = _described(files, movie_ids)
    films = film_rows(described.titles)
    links = np.unique(np.concatenate([file.links for file in files]), axis=0).astype(np.int64)
    ratings = [file.ratings for file in files if file.ratings is not None]
    if ratings and len(ratings) < len(files):
        raise DataError("Some of the given files have ratings and others have none; expected the same of all")
    like_count = next((file.like_count for file in files if file.like_count is not None), None)
    levels = None
    if ratings:
        levels = COUNT_LEVELS if like_count is not None else rating_levels(np.concatenate(ratings))
    return EvaluationData(
        GIVEN,
        [
            _fold(train, test, len(reviewer_ids), films, levels, like_count)
            for train, test in zip(files[::2], files[1::2], strict=True)
        ],
        [file.accounting for file in files],
        traits_of(described, links),
        None if negatives is None else read_candidates(negatives, reviewer_ids, movie_ids),
        words,
    )


def _renumbered(file: _File, reviewer_ids: Strings, movie_ids: Strings) -> _File:
    """Renumbers a file's reviewers and movies by the position of each id in the sorted ids of all files."""
    reviewer_rows = np.searchsorted(reviewer_ids, file.reviewer_ids)
    movie_rows = np.searchsorted(movie_ids, file.movie_ids)
    return file._replace(
        reviewer_rows=reviewer_rows[file.reviewer_rows],
        movie_rows=movie_rows[file.movie_rows],
        links=movie_rows[file.links],
    )


def _described(files: Sequence[_File], movie_ids: Strings) -> tuple[Described, csr_array]:
    """Merges the metadata and the word counts of movies from all files.

    If several files hold metadata of the same movie, the function uses the metadata of the file that comes
    first in `files`.
    """
    from scipy.sparse import csr_array, vstack

    words = csr_array(vstack([file.words for file in files]))
    ids = np.concatenate([file.movie_ids for file in files])
    described = np.flatnonzero(np.diff(words.indptr))
    found, first = np.unique(np.searchsorted(movie_ids, ids[described]), return_index=True)
    places = described[first]
    ones = np.ones(len(found), np.float32)
    chosen = csr_array((ones, (found, places)), shape=(len(movie_ids), len(ids)))
    titles: list[str | None] = [None] * len(movie_ids)
    years = np.full(len(movie_ids), np.nan, dtype=np.float32)
    every_title = [title for file in files for title in file.described.titles]
    every_year = np.concatenate([file.described.years for file in files])
    for row, place in zip(found.tolist(), places.tolist(), strict=True):
        titles[row], years[row] = every_title[place], every_year[place]
    columns = (vstack([getattr(file.described, name) for file in files]) for name in ("categories", "words"))
    counted = [csr_array(chosen @ column) for column in columns]
    return Described(titles, years, *counted), csr_array(chosen @ words)


def _fold(
    train: _File,
    test: _File,
    num_reviewers: int,
    films: Rows,
    levels: Floats | None,
    like_count: float | None,
) -> Fold:
    """Makes a fold from a training file and a test file.

    Before the call, `_renumbered` must renumber the reviewers and movies of both files. The same row number
    then stands for the same reviewer, or the same movie, in the training file and in the test file.
    """

    def both(field: str) -> NDArray[Any]:
        return np.concatenate([getattr(train, field), getattr(test, field)])

    reviewer_rows, movie_rows, times = both("reviewer_rows"), both("movie_rows"), both("times")
    held_out = np.repeat([False, True], [len(train.times), len(test.times)])
    keys = reviewer_rows * len(films) + movie_rows
    twice = held_out & np.isin(keys, keys[~held_out])
    # If a training review and a test review have the same time, the training review comes first.
    order = np.lexsort((held_out, times, reviewer_rows))
    order = order[~twice[order]]
    reviews = make_reviews(
        reviewer_rows[order],
        movie_rows[order],
        None if levels is None else both("ratings")[order],
        times[order],
        num_reviewers=num_reviewers,
        num_movies=len(films),
        levels=levels,
        like_count=like_count,
    )
    if train.sentiment is not None:
        unscored = np.full(len(test.times), np.nan, np.float32)
        reviews = replace(reviews, sentiment=np.concatenate([train.sentiment, unscored])[order])
    fold = fold_of(reviews, held_out[order], copy_groups(reviews, films, both("texts")[order]))
    return fold._replace(num_leaks=fold.num_leaks + int(twice.sum()))


def _read_file(path: Path, metadata: Sequence[Input], config: Config, *, sentiment: bool) -> _File:
    with _ingested([path], metadata, config.ingest) as (database, accounting):
        columns = read_columns(database, "reviewer_row, movie_row, rating")
        ratings = ratings_of(columns["rating"])
        return _File(
            reviewer_ids=_ids(database, "reviewer"),
            movie_ids=_ids(database, "movie"),
            reviewer_rows=np.asarray(columns["reviewer_row"], dtype=np.int64),
            movie_rows=np.asarray(columns["movie_row"], dtype=np.int64),
            ratings=ratings,
            like_count=like_count_of(database, ratings, config),
            times=np.asarray(columns["time"], dtype=np.int64),
            texts=read_texts(database),
            sentiment=read_sentiment(database, threads=config.ingest.threads) if sentiment else None,
            described=read_described(database),
            links=read_links(database),
            words=read_words(database),
            accounting=accounting,
        )


@contextmanager
def _ingested(
    reviews: Sequence[Input], metadata: Sequence[Input], config: IngestConfig
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Accounting]]:
    with work_database(config) as database:
        yield database, ingest(database, reviews, metadata, config, keep_text=True)


def _ids(database: duckdb.DuckDBPyConnection, what: str) -> Strings:
    """Reads the ids of all reviewers or of all movies, ordered by reviewer row or by movie row."""
    return np.asarray(_column(database, f"{what}s", f"{what}_id"), dtype=np.str_)


def _column(database: duckdb.DuckDBPyConnection, table: str, name: str) -> list[Any]:
    """Reads a column of the table `reviewers` or `movies`, ordered by reviewer row or by movie row."""
    rows = database.execute(f"select {name} from {table} order by {table[:-1]}_row").fetchall()
    return [value for (value,) in rows]
