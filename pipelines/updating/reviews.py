"""Adds new reviews to an index without training, by writing a new version that replaces the old version.

An update reads and cleans the new reviews, and finds the rows of the reviewed movies in the index. The update
adds the new reviews to the reviewers' histories, and adds new reviewers to the index. In the new version of
the index, each movie's number of reviews and popularity include the new reviews.

An update with new reviews leaves the trained model unchanged: movie vectors and all other trained weights
stay the same. All answers that are computed from a reviewer's history take the added reviews into account.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.artifact import layout
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.config.sections import Config
from engine.errors import ArtifactCorruptError, DataError
from engine.feedback.hidden import HiddenMovies
from engine.opened import OpenedIndex, settings_of
from engine.tables.facts import Facts
from pipelines.export.versions import take_over_files, take_over_sections
from pipelines.ingest.accounting import Accounting, write_rejected
from pipelines.ingest.ingest import ingest
from pipelines.ingest.journal import (
    counts_of,
    divided,
    own_first,
    read_journal,
    write_hidden,
    write_position,
)
from pipelines.inputs.named import Sources, inputs_of
from pipelines.inputs.spool import Input
from pipelines.updating.change import Change, work_out_change
from pipelines.updating.drift import held_out_figures, reason_to_retrain
from pipelines.updating.incoming import Incoming, read_incoming, without_outweighed
from pipelines.updating.rewriting import write_updated
from pipelines.work.database import folder_of, storage_errors, work_database

if TYPE_CHECKING:
    import duckdb

logger = logging.getLogger(__name__)

_COUNTED = {"reviews": "added", "reviewers": "new_reviewers"}
"""Maps the name of a count in the manifest to the name of the number in `UpdateResult.update` that an update
adds to the count. For example, an update adds the number "added" to the count "reviews"."""


@dataclass(frozen=True, kw_only=True)
class UpdateResult:
    """Holds counts and metrics of an update with new reviews, and the manifest and directory of the index.

    Attributes:
        update: the counts and metrics of the update, such as the number of added reviews, as in the manifest.
            The value of "changed" is False if no new version was written because the index held every review
            already.
        manifest: the manifest of the index: settings, counts, metrics and updates.
        directory: the directory of the index.
    """

    update: dict[str, Any]
    manifest: dict[str, Any]
    directory: Path

    def _repr_html_(self) -> str:
        """Returns the counts and metrics of the update as an HTML table, for notebooks."""
        return Facts(self.update)._repr_html_()


class _NothingNewError(Exception):
    """Stops the writing of a new version because the index holds every review already."""

    def __init__(self, result: UpdateResult) -> None:
        super().__init__()
        self.result = result


def add_reviews(
    reviews: Sources = (),
    *,
    index: Path | str,
    config: Config | None = None,
    keep: int | None = None,
) -> UpdateResult:
    """Adds reviews, and the feedback in the journal of the index, to an index without training.

    The journal holds the feedback that the HTTP service has received. The new version records up to which
    position the journal was read, so that each line of the journal is added once, even if the process is
    killed.

    Known reviewers get longer histories, and new reviewers are added to the index. If a reviewer reviews a
    movie again, the later review replaces the earlier review. Reviews of movies that the index does not hold
    are counted and left out. If the index holds every review already, no new version is written. An `Engine`
    that opened the index before the call of `add_reviews` continues to answer from the old version of the
    index.

    Args:
        reviews: review files in any of the known formats, folders that are journals, or tables in memory, as
            in `build_index`.
        index: the directory of the index.
        config: the settings, of which only the section `ingest` (formats and filters) is used. Reviewers and
            movies with few reviews are kept, whatever the settings say.
        keep: how many builds the directory keeps, the new version included; by default as many as before.

    Raises:
        EngineError: the directory holds no index; a file or a setting is not usable; the reviews do not fit
            the index.
    """
    started = time.perf_counter()
    index = Path(index)
    Artifact.open(index)
    try:
        with inputs_of(reviews) as (inputs, _), ArtifactWriter(index, keep=keep) as writer, storage_errors():
            update = _write_version(writer, inputs, config or Config())
    except _NothingNewError as nothing:
        logger.info("Every review is there already; the index stays as it is")
        return nothing.result
    logger.info(
        "Added %s reviews, replaced %s, and took in %s reviewers, in %.1f s",
        *(f"{update[name]:,}" for name in ("added", "replaced", "new_reviewers")),
        time.perf_counter() - started,
    )
    return UpdateResult(update=update, manifest=writer.manifest, directory=index)


def _write_version(writer: ArtifactWriter, reviews: Sequence[Input], config: Config) -> dict[str, Any]:
    """Writes a version of the index with the new reviews; returns the counts and metrics of the update."""
    artifact = Artifact.open(writer.directory)
    before = OpenedIndex(artifact)
    before.verify()
    built_with = settings_of(artifact)
    has_counts = built_with.ingest.ratings == "counts"
    like_count = built_with.rating.like_rating if has_counts else None
    limits = replace(
        config.ingest,
        min_reviews_per_reviewer=1,
        min_reviews_per_movie=1,
        ratings="counts" if has_counts else "stars",
    )
    rating = before.model.rating
    levels = np.zeros(0, dtype=np.float32) if rating is None else rating.levels
    files, given = divided(reviews)
    journals = own_first(writer.directory, given)
    if not reviews and not journals:
        raise DataError(
            f"There is nothing to add to {writer.directory}: name at least one file of reviews, or let a "
            "service take reviews into the journal of the index"
        )
    with work_database(limits) as database:
        scale, folder = before.feedback.scale, folder_of(database)
        parts = [read_journal(one, folder, before=artifact, scale=scale) for one in journals]
        accounting, incoming = Accounting(read=0, kept=0, duplicate=0), Incoming.nothing()
        if files or any(part.source for part in parts):
            accounting = ingest(database, files, (), limits, few=True, feedback=parts)
            incoming = read_incoming(database, before.movies, levels, like_count, needed=bool(files))
        change = work_out_change(before, without_outweighed(incoming, before))
        update = _figures(change, accounting) | ({"journal": counts_of(parts)} if parts else {})
        hidden = HiddenMovies.of_build(artifact)
        update["changed"] |= bool(parts) and parts[0].hidden != hidden
        if not update["changed"]:
            raise _NothingNewError(
                UpdateResult(update=update, manifest=artifact.manifest, directory=artifact.directory)
            )
        if accounting.read:
            _write_rejected(database, artifact, writer)
    write_updated(change, writer)
    write_hidden(parts, writer)
    take_over_files(artifact, writer, leave_out=(layout.HIDDEN_FILE,) if parts else ())
    take_over_sections(artifact, writer)
    write_position(parts, writer)
    counts = artifact.section(layout.COUNTS_SECTION)
    more = {name: counts[name] + update[added] for name, added in _COUNTED.items()}
    writer.add_section(layout.COUNTS_SECTION, counts | more)
    writer.add_section(layout.UPDATES_SECTION, _updates_section(artifact.manifest, update))
    return update


def _write_rejected(database: duckdb.DuckDBPyConnection, artifact: Artifact, writer: ArtifactWriter) -> None:
    import duckdb

    ledger = layout.REJECTED_FILE
    try:
        write_rejected(database, writer.path_for(ledger), before=artifact.handle(ledger))
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise ArtifactCorruptError(
            f"The rejected rows in {artifact.file(ledger)} cannot be read ({reason}); restore the index "
            "from a copy or build it again"
        ) from error


def _figures(change: Change, accounting: Accounting) -> dict[str, Any]:
    incoming, merged = change.incoming, change.merged
    of_known = np.flatnonzero(np.isin(change.reviewer_rows, change.old_rows) & merged.added)
    held_out = held_out_figures(
        change.before.model,
        np.searchsorted(change.old_rows, change.reviewer_rows[of_known]),
        incoming.movie_rows[of_known],
        incoming.level_rows[of_known],
    )
    num_added, num_replaced = int(merged.added.sum()), int(merged.replacing.sum())
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "changed": num_added + num_replaced > 0,
        "added": num_added,
        "replaced": num_replaced,
        "already_there": len(incoming.movie_rows) + incoming.num_outweighed - num_added - num_replaced,
        "unknown_movies": incoming.num_unknown_movies,
        "reviews_of_unknown_movies": incoming.num_unknown_reviews,
        "new_reviewers": len(change.new_ids),
        "held_out": held_out,
        "accounting": accounting.to_dict(),
    }


def _updates_section(manifest: dict[str, Any], update: dict[str, Any]) -> dict[str, Any]:
    """Returns the manifest's section `updates`: all updates since the training, and advice to train again."""
    before = manifest.get(layout.UPDATES_SECTION, {})
    built = manifest[layout.COUNTS_SECTION] | {"created": manifest[layout.CREATED_ENTRY]}
    trained = before.get("trained_on") or built
    history = [*before.get("history", ()), update]
    added = sum(one["added"] + one["replaced"] for one in history)
    share = added / max(trained["reviews"], 1)
    reason = reason_to_retrain(
        share,
        update["reviews_of_unknown_movies"] / max(update["accounting"]["kept"], 1),
        update["held_out"],
        manifest.get(layout.METRICS_SECTION, {}).get("ncf", {}),
    )
    return {
        "retrain": reason is not None,
        "reason": reason,
        "reviews_since_training": added,
        "share_since_training": share,
        "new_reviewers_since_training": sum(one["new_reviewers"] for one in history),
        "trained_on": trained,
        "history": history,
    }
