"""Writes the files of an index that new reviews change: ids, histories, vectors of new reviewers, counts."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows
from engine.artifact.layout import CATALOG_FILE, HISTORY_TIMES, MOVIE_COUNTS, POPULARITY
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.cards import MovieCards, build_card_arrays
from engine.config.sections import Config
from engine.errors import ArtifactError
from engine.model.newcomers import rating_biases
from pipelines.export.arrays import write_popularity, write_times
from pipelines.export.rows import replace_records, spread_rows

if TYPE_CHECKING:
    from pipelines.updating.change import Change

_HISTORY = ("offsets", "movie_rows", "level_rows")


def write_updated(artifact: Artifact, writer: ArtifactWriter, change: Change) -> set[str]:
    """Writes every file that the reviews change.

    Args:
        artifact: the version before.
        writer: the version to be.
        change: what was worked out.

    Returns:
        The names of the files; all others are as they were.

    Raises:
        ArtifactError: the index cannot be written.
    """
    arrays: dict[str, NDArray[Any]] = {
        f"history_{name}": getattr(change.merged.histories, name) for name in _HISTORY
    }
    texts = [text.encode("utf-8") for text in change.new_ids]
    ids, offsets = replace_records(
        artifact.array("reviewer_ids"),
        artifact.array("reviewer_id_offsets"),
        change.new_rows,
        texts,
        inserted=True,
    )
    arrays |= {"reviewer_ids": ids, "reviewer_id_offsets": offsets}
    rows, counts, averages = _changed_movies(artifact, change)
    arrays |= _card_arrays(artifact, rows, counts, averages)
    if artifact.has(f"{MOVIE_COUNTS}.npy"):
        all_counts = artifact.array(MOVIE_COUNTS).copy()
        all_counts[rows] = counts
        arrays[MOVIE_COUNTS] = all_counts
    for name, array in arrays.items():
        writer.add_array(name, array)
    written = {f"{name}.npy" for name in arrays}
    written |= _write_reviewers(artifact, writer, change)
    written |= _write_times(artifact, writer, change)
    _write_catalog(artifact, writer, rows, counts, averages)
    return written | {CATALOG_FILE}


def _write_reviewers(artifact: Artifact, writer: ArtifactWriter, change: Change) -> set[str]:
    """What was learned of each reviewer: new ones have no embedding, but the biases of `engine.newcomers`."""
    dim = change.model.relevance.embedding_dim
    fresh: dict[str, NDArray[np.float32]] = {
        "reviewer_embeddings": np.zeros((len(change.new_rows), dim), dtype=np.float32)
    }
    if change.model.rating is not None:
        histories = change.merged.histories.take(change.new_rows)
        fresh["rating_reviewer_biases"] = rating_biases(change.model.rating, histories)
    for name, values in fresh.items():
        old = artifact.array(name)
        target = np.lib.format.open_memmap(
            writer.path_for(f"{name}.npy"),
            mode="w+",
            dtype=old.dtype,
            shape=(len(old) + len(values), *old.shape[1:]),
        )
        spread_rows(old, change.old_rows, values, change.new_rows, target)
        target.flush()
    return {f"{name}.npy" for name in fresh}


def _write_times(artifact: Artifact, writer: ArtifactWriter, change: Change) -> set[str]:
    """When the reviews were written, and the popularity where the version before has it."""
    merged = change.merged
    write_times(merged.times, writer)
    if not artifact.has(f"{POPULARITY}.npy"):
        return {f"{HISTORY_TIMES}.npy"}
    half_life = Config.from_dict(artifact.manifest.get("config", {})).popularity.half_life_days
    write_popularity(change.model, merged.histories, merged.times, half_life, writer)
    return {f"{HISTORY_TIMES}.npy", f"{POPULARITY}.npy"}


def _changed_movies(artifact: Artifact, change: Change) -> tuple[Rows, Rows, NDArray[np.float64]]:
    """The movies that got reviews, with their counts and average ratings, NaN where there is none."""
    incoming, merged, rating = change.incoming, change.merged, change.model.rating
    counted = merged.added | merged.replacing
    rows, places = np.unique(incoming.movie_rows[counted], return_inverse=True)
    cards = _cards(artifact)
    known = [cards.card(row) for row in rows.tolist()]
    counts = np.array([card["movie_count"] or 0 for card in known], dtype=np.int64)
    averages = np.array([card["average_rating"] or 0.0 for card in known], dtype=np.float64)
    added = np.bincount(places, merged.added[counted], len(rows)).astype(np.int64)
    if rating is None:
        return rows, counts + added, np.full(len(rows), np.nan)
    new = incoming.ratings[counted].copy()
    new[merged.replacing[counted]] -= rating.levels[merged.replaced_levels]
    sums = averages * counts + np.bincount(places, new, len(rows))
    return rows, counts + added, sums / np.maximum(counts + added, 1)


def _card_arrays(
    artifact: Artifact, rows: Rows, counts: Rows, averages: NDArray[np.float64]
) -> dict[str, NDArray[Any]]:
    cards = _cards(artifact)
    changed = [
        cards.card(row) | {"movie_count": count, "average_rating": None if np.isnan(average) else average}
        for row, count, average in zip(rows.tolist(), counts.tolist(), averages.tolist(), strict=True)
    ]
    data, offsets = build_card_arrays(changed)
    texts = [data[offsets[place] : offsets[place + 1]].tobytes() for place in range(len(changed))]
    merged, merged_offsets = replace_records(
        artifact.array("movie_cards"), artifact.array("movie_card_offsets"), rows, texts, inserted=False
    )
    return {"movie_cards": merged, "movie_card_offsets": merged_offsets}


def _cards(artifact: Artifact) -> MovieCards:
    return MovieCards(artifact.array("movie_cards"), artifact.array("movie_card_offsets"))


def _write_catalog(
    artifact: Artifact, writer: ArtifactWriter, rows: Rows, counts: Rows, averages: NDArray[np.float64]
) -> None:
    import duckdb
    import pandas

    path = writer.path_for(CATALOG_FILE)
    shutil.copyfile(artifact.file(CATALOG_FILE), path)
    changes = pandas.DataFrame({"movie_row": rows, "movie_count": counts, "average_rating": averages})
    try:
        with duckdb.connect(str(path)) as database:
            database.register("changes", changes)
            database.execute(
                "update movies set movie_count = changes.movie_count, average_rating = "
                "case when not isnan(changes.average_rating) then changes.average_rating end "
                "from changes where movies.movie_row = changes.movie_row"
            )
            database.unregister("changes")
            database.execute("checkpoint")
    except (duckdb.IOException, duckdb.FatalException) as error:
        reason = str(error).partition("\n")[0]
        raise ArtifactError(f"Cannot write the catalogue to {writer.directory}: {reason}") from error
