"""Writes those files of an index that an update with new reviews changes, such as reviewers' histories."""

from __future__ import annotations

import shutil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows
from engine.artifact import layout
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.cards import build_card_arrays
from engine.catalogue.database import NO_EXTENSIONS
from engine.model.newcomers import rating_biases
from engine.model.scorer import arrays_of
from engine.opened import settings_of
from indexes.milvus_index import Address
from pipelines.dataset.movie_figures import popularity_of
from pipelines.export.arrays import write_times
from pipelines.export.catalogue import catalogue_errors
from pipelines.export.rows import insert_rows, replace_records
from pipelines.updating.change import Change
from pipelines.work.output import plain_path

_CHANGED_COLUMNS = ("movie_count", "average_rating")
"""The columns of the index's catalogue that new reviews change."""


class _MovieFigures(NamedTuple):
    """Holds the updated number of reviews and average rating of each movie that got new reviews."""

    rows: Rows
    """int64 [num_movies], the rows of the movies that got new reviews, ascending."""
    counts: Rows
    """int64 [num_movies], for each movie in `rows`, the number of reviews, new reviews included."""
    averages: Doubles
    """float64 [num_movies], for each movie in `rows`, the average rating, new reviews included; NaN in an
    index without ratings."""


def write_updated(change: Change, writer: ArtifactWriter) -> None:
    """Writes every file of the index that the new reviews of an update change.

    Raises:
        ArtifactError: the index cannot be written.
    """
    figures = _movie_figures(change)
    arrays = (
        _id_arrays(change)
        | _card_arrays(change, figures)
        | arrays_of(change.merged.histories, layout.HISTORY_ARRAYS)
    )
    artifact = change.before.artifact
    if artifact.has(layout.MOVIE_COUNTS + layout.ARRAY_ENDING):
        counts = artifact.array(layout.MOVIE_COUNTS).copy()
        counts[figures.rows] = figures.counts
        arrays[layout.MOVIE_COUNTS] = counts
    for name, array in arrays.items():
        writer.add_array(name, array)
    _write_reviewers(change, writer)
    _write_times(change, writer)
    _write_catalogue(change, figures, writer)
    if artifact.has(layout.ADDRESS_FILE):
        # The collection in the vector database keeps the old counts and averages, so that the database must
        # not be asked for conditions on the changed columns.
        address = Address.read(artifact.handle(layout.ADDRESS_FILE)).without(_CHANGED_COLUMNS)
        address.write(writer.path_for(layout.ADDRESS_FILE))


def _id_arrays(change: Change) -> dict[str, NDArray[Any]]:
    names = layout.ID_ARRAYS["reviewer"]
    old, offsets = map(change.before.artifact.array, names)
    texts = [text.encode("utf-8") for text in change.new_ids]
    merged = replace_records(old, offsets, change.new_rows, texts, inserted=True)
    return dict(zip(names, merged, strict=True))


def _write_reviewers(change: Change, writer: ArtifactWriter) -> None:
    """Writes the embeddings and the rating biases of all reviewers.

    A new reviewer gets an embedding of zeros, and rating biases that fit the reviewer's new reviews.
    """
    before = change.before
    fresh: dict[str, Floats] = {
        layout.RELEVANCE_ARRAYS["reviewer_embeddings"]: np.zeros(
            (len(change.new_rows), before.model.relevance.reviewer_embeddings.shape[1]), dtype=np.float32
        )
    }
    if before.model.rating is not None:
        histories = change.merged.histories.take(change.new_rows)
        fresh[layout.RATING_ARRAYS["reviewer_biases"]] = rating_biases(before.model.rating, histories)
    for name, values in fresh.items():
        old = before.artifact.array(name)
        target = np.lib.format.open_memmap(
            writer.path_for(name + layout.ARRAY_ENDING),
            mode="w+",
            dtype=old.dtype,
            shape=(len(old) + len(values), *old.shape[1:]),
        )
        insert_rows(old, values, change.new_rows, target)
        target.flush()


def _write_times(change: Change, writer: ArtifactWriter) -> None:
    """Writes the time of each review, and each movie's popularity if the index holds popularities."""
    merged, artifact = change.merged, change.before.artifact
    write_times(merged.times, writer)
    if artifact.has(layout.POPULARITY + layout.ARRAY_ENDING):
        half_life = settings_of(artifact).popularity.half_life_days
        popularity = popularity_of(change.before.model, merged.histories, merged.times, half_life)
        writer.add_array(layout.POPULARITY, popularity)


def _movie_figures(change: Change) -> _MovieFigures:
    incoming, merged, rating = change.incoming, change.merged, change.before.model.rating
    counted = merged.added | merged.replacing
    rows, places = np.unique(incoming.movie_rows[counted], return_inverse=True)
    known = [change.before.cards.card(row) for row in rows.tolist()]
    old_counts = np.array([card["movie_count"] or 0 for card in known], dtype=np.int64)
    counts = old_counts + np.bincount(places, merged.added[counted], len(rows)).astype(np.int64)
    if rating is None:
        return _MovieFigures(rows, counts, np.full(len(rows), np.nan))
    averages = np.array([card["average_rating"] or 0.0 for card in known], dtype=np.float64)
    new = incoming.ratings[counted].copy()
    if settings_of(change.before.artifact).ingest.ratings == "counts":
        # The index does not hold the count of a replaced review, so a replacement leaves the average count of
        # the movie unchanged.
        new[merged.replacing[counted]] = 0
    else:
        new[merged.replacing[counted]] -= rating.levels[merged.replaced_levels]
    sums = averages * old_counts + np.bincount(places, new, len(rows))
    return _MovieFigures(rows, counts, sums / np.maximum(counts, 1))


def _card_arrays(change: Change, figures: _MovieFigures) -> dict[str, NDArray[Any]]:
    cards = change.before.cards
    changed = [
        cards.card(row) | {"movie_count": count, "average_rating": None if np.isnan(average) else average}
        for row, count, average in zip(*(part.tolist() for part in figures), strict=True)
    ]
    data, offsets = build_card_arrays(changed)
    texts = [data[offsets[place] : offsets[place + 1]].tobytes() for place in range(len(changed))]
    old, old_offsets = map(change.before.artifact.array, layout.CARD_ARRAYS)
    merged = replace_records(old, old_offsets, figures.rows, texts, inserted=False)
    return dict(zip(layout.CARD_ARRAYS, merged, strict=True))


def _write_catalogue(change: Change, figures: _MovieFigures, writer: ArtifactWriter) -> None:
    import duckdb

    artifact = change.before.artifact
    change.before.catalogue.check()  # An unchecked catalogue could run SQL of its author once it is opened.
    changes = {"movie_row": figures.rows, "movie_count": figures.counts, "average_rating": figures.averages}
    with catalogue_errors(writer), plain_path(writer.path_for(layout.CATALOGUE_FILE)) as path:
        shutil.copyfile(artifact.handle(layout.CATALOGUE_FILE), path)
        with duckdb.connect(str(path), config=NO_EXTENSIONS) as database:
            database.execute("set enable_external_access = false")
            database.register("changes", changes)
            database.execute(
                "update movies set movie_count = changes.movie_count, average_rating = "
                "case when not isnan(changes.average_rating) then changes.average_rating end "
                "from changes where movies.movie_row = changes.movie_row"
            )
            database.unregister("changes")
            database.execute("checkpoint")
