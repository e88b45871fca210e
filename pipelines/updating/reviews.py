"""New reviews put into an index without training: a new version of it, which replaces the old one at once.

files -> ingest -> rows of the index -> histories -> ids, new reviewers, counts, popularity -> artifact

The movies' vectors and all that was learned stay as they are; what depends on a history follows it at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.config.sections import Config
from engine.model.storage import load_model
from engine.opened import id_table
from pipelines.ingest.accounting import Accounting, write_rejected
from pipelines.ingest.ingest import ingest
from pipelines.updating.change import Change, _work_out
from pipelines.updating.drift import held_out_figures, reason_to_retrain
from pipelines.updating.incoming import read_incoming
from pipelines.updating.rewriting import write_updated
from pipelines.work.database import open_database, storage_errors

logger = logging.getLogger(__name__)

SECTION = "updates"
_OF_A_BUILD = ("format_version", "package_version", "build", "created", "files")
_LEDGER = "rejected.parquet"


@dataclass(frozen=True, kw_only=True)
class UpdateResult:
    """What adding reviews came to.

    Attributes:
        update: the figures of this update, as the manifest keeps them; with `changed`, whether there was
            anything new, and otherwise the index is as it was.
        manifest: everything that the index says of itself.
        directory: the index directory.
    """

    update: dict[str, Any]
    manifest: dict[str, Any]
    directory: Path


class _NothingNewError(Exception):
    """Every review is there already."""

    def __init__(self, result: UpdateResult) -> None:
        super().__init__()
        self.result = result


def add_reviews(
    reviews: Sequence[Path | str], *, index: Path | str, config: Config | None = None
) -> UpdateResult:
    """Adds reviews to an index without training.

    Known reviewers get longer histories, new ones join, and of a pair that was reviewed before the later
    review counts. Reviews of movies that the index does not hold are counted and left out. Where every review
    is there already, the index stays as it is. Whoever has the index open goes on with the version they have.

    Args:
        reviews: review files in any of the known formats.
        index: the index directory.
        config: of it, the section `ingest` counts: formats and filters, but for the fewest reviews of a
            reviewer or movie, which are 1.

    Raises:
        EngineError: there is no index, a file or a setting is not usable, or the reviews do not fit it.
    """
    started = time.perf_counter()
    Artifact.open(index)
    try:
        with ArtifactWriter(Path(index)) as writer, storage_errors():
            artifact = Artifact.open(index)
            update = _write_version(artifact, writer, [Path(path) for path in reviews], config or Config())
    except _NothingNewError as nothing:
        logger.info("Every review is there already; the index stays as it is")
        return nothing.result
    logger.info(
        "Added %s reviews, replaced %s, and took in %s reviewers, in %.1f s",
        *(f"{update[name]:,}" for name in ("added", "replaced", "new_reviewers")),
        time.perf_counter() - started,
    )
    return UpdateResult(update=update, manifest=writer.manifest, directory=Path(index))


def _write_version(
    artifact: Artifact, writer: ArtifactWriter, reviews: Sequence[Path], config: Config
) -> dict[str, Any]:
    limits = replace(config.ingest, min_reviews_per_reviewer=1, min_reviews_per_movie=1)
    model = load_model(artifact)
    levels = np.zeros(0, dtype=np.float32) if model.rating is None else model.rating.levels
    with TemporaryDirectory(prefix="engine-update-") as scratch:
        work = Path(scratch) / "work.duckdb"
        with open_database(work, memory_limit=limits.memory_limit, threads=limits.threads) as database:
            accounting = ingest(database, reviews, (), limits, few=True)
            incoming = read_incoming(database, id_table(artifact, "movie"), levels)
            change = _work_out(artifact, model, incoming)
            update = _figures(artifact, change, accounting)
            if not update["changed"]:
                raise _NothingNewError(
                    UpdateResult(update=update, manifest=artifact.manifest, directory=artifact.directory)
                )
            write_rejected(database, writer.path_for(_LEDGER), before=artifact.file(_LEDGER))
    written = {_LEDGER, *write_updated(artifact, writer, change)}
    for name in artifact.manifest["files"]:
        if name not in written:
            writer.add_file(artifact.file(name))
    for name, section in artifact.manifest.items():
        if name not in _OF_A_BUILD:
            writer.add_section(name, section)
    counts = artifact.manifest["counts"]
    writer.add_section(
        "counts",
        counts
        | {
            "reviews": counts["reviews"] + update["added"],
            "reviewers": counts["reviewers"] + update["new_reviewers"],
        },
    )
    writer.add_section(SECTION, _section(artifact, update))
    return update


def _figures(artifact: Artifact, change: Change, accounting: Accounting) -> dict[str, Any]:
    incoming, merged = change.incoming, change.merged
    is_old = np.isin(change.reviewer_rows, change.old_rows) & merged.added
    order = np.flatnonzero(is_old)
    held_out = held_out_figures(
        change.model,
        np.searchsorted(change.old_rows, change.reviewer_rows[order]),
        incoming.movie_rows[order],
        incoming.level_rows[order],
    )
    num_added, num_replaced = int(merged.added.sum()), int(merged.replacing.sum())
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "changed": num_added + num_replaced > 0,
        "added": num_added,
        "replaced": num_replaced,
        "already_there": len(incoming.movie_rows) - num_added - num_replaced,
        "unknown_movies": incoming.num_unknown_movies,
        "reviews_of_unknown_movies": incoming.num_unknown_reviews,
        "new_reviewers": len(change.new_ids),
        "held_out": held_out,
        "accounting": accounting.to_dict(),
    }


def _section(artifact: Artifact, update: dict[str, Any]) -> dict[str, Any]:
    """What the manifest says of all updates since the training."""
    manifest = artifact.manifest
    before = manifest.get(SECTION, {})
    trained = before.get("trained_on") or manifest["counts"] | {"created": manifest["created"]}
    history = [*before.get("history", ()), update]
    added = sum(one["added"] + one["replaced"] for one in history)
    incoming = update["accounting"]["kept"]
    reason = reason_to_retrain(
        added / max(trained["reviews"], 1),
        update["reviews_of_unknown_movies"] / max(incoming, 1),
        update["held_out"],
        manifest.get("metrics", {}).get("ncf", {}),
    )
    return {
        "retrain": reason is not None,
        "reason": reason,
        "reviews_since_training": added,
        "share_since_training": added / max(trained["reviews"], 1),
        "new_reviewers_since_training": sum(one["new_reviewers"] for one in history),
        "trained_on": trained,
        "history": history,
    }
