"""The story of a build: raw files to an artifact that answers, one call an arrow.

json.gz -> ingest -> tables -> arrays -> split -> train -> measure -> train on everything -> index -> audit ->
artifact
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.artifact_writer import ArtifactWriter, check_output
from engine.config import Config
from pipelines.catalog import write_catalog
from pipelines.database import open_database, storage_errors
from pipelines.dataset import read_reviews
from pipelines.export import write_ids, write_model, write_search, write_variants
from pipelines.fit import fit_model
from pipelines.index import build_search
from pipelines.ingest import ingest
from pipelines.page import check_page, write_page
from pipelines.quality import measure_quality
from pipelines.rejections import write_rejected
from pipelines.report import write_report
from pipelines.sentiment import read_sentiment
from pipelines.signals import describe_sentiment, training_reviews

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """What a build made.

    Attributes:
        manifest: everything that the index says of itself.
        directory: the index directory, as `Engine.load` takes it.
    """

    manifest: dict[str, Any]
    directory: Path


def build_index(
    reviews: Sequence[Path | str],
    *,
    output: Path | str,
    metadata: Sequence[Path | str] = (),
    config: Config | None = None,
    report: Path | str | None = None,
) -> BuildResult:
    """Builds an index from review files; an index that is there answers until the new one is complete.

    Args:
        reviews: review files in any of the known formats.
        output: the index directory.
        metadata: movie files.
        config: settings; the defaults where none are given.
        report: where the report goes, a web page that the index always holds, besides.

    Raises:
        EngineError: a file, a setting or the output is not usable, or the quality is under the floor.
    """
    config = config or Config()
    output = Path(output)
    check_output(output)
    if report is not None:
        check_page(Path(report))
    started = time.perf_counter()
    with (
        ArtifactWriter(output) as writer,
        TemporaryDirectory(prefix="engine-build-") as scratch,
        storage_errors(),
    ):
        limits = config.ingest
        work = Path(scratch) / "work.duckdb"
        with open_database(work, memory_limit=limits.memory_limit, threads=limits.threads) as database:
            accounting = ingest(
                database,
                [Path(path) for path in reviews],
                [Path(path) for path in metadata],
                limits,
                keep_text=config.sentiment.use,
                compare_text=True,
            )
            write_rejected(database, writer.path_for("rejected.parquet"))
            write_catalog(database, writer)
            write_ids(database, writer)
            write_variants(database, writer)
            prepared = read_reviews(database)
            if config.sentiment.use:
                prepared = replace(prepared, sentiment=read_sentiment(database, threads=limits.threads))
                writer.add_section("sentiment", describe_sentiment(prepared))
        quality = measure_quality(prepared, config)
        fitted = fit_model(training_reviews(prepared, config.sentiment), config, findings=quality.findings)
        search = build_search(fitted.model, config)
        write_model(fitted.model, writer)
        write_search(search, writer)
        writer.add_section("config", config.to_dict())
        writer.add_section("seed", config.seed)
        writer.add_section("accounting", accounting.to_dict())
        writer.add_section(
            "counts",
            {"reviews": len(prepared), "reviewers": prepared.num_reviewers, "movies": prepared.num_movies},
        )
        writer.add_section("metrics", quality.figures)
        writer.add_section("training", fitted.findings.summary())
        writer.add_section("calibration", quality.calibration)
        writer.add_section("audit", search.audit)
        page = write_report(writer, fitted.model)
    if report is not None:
        write_page(page, Path(report))
    logger.info("Built %s in %.0f s", output, time.perf_counter() - started)
    return BuildResult(manifest=writer.manifest, directory=output)
