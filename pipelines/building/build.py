"""The story of a build: raw files to an artifact that answers, one call an arrow.

json.gz -> ingest -> tables -> arrays -> split -> train -> measure -> train on everything -> index -> audit ->
artifact
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.artifact.writer import ArtifactWriter, check_directory
from engine.config.sections import Config
from pipelines.building.intake import space_needed, take_in
from pipelines.building.plan import check_plan
from pipelines.building.quality import measure_quality
from pipelines.building.quality_baselines import measure_baselines
from pipelines.building.resuming import resumable_work
from pipelines.cold_start.catalogue import times_of_histories
from pipelines.cold_start.joining import take_in_cold_movies, write_cold
from pipelines.dataset.sentiment import training_reviews
from pipelines.export.arrays import write_model, write_popularity, write_times
from pipelines.export.report import write_report
from pipelines.export.vector_index import build_search, write_search
from pipelines.training.fit import fit_model
from pipelines.work.database import storage_errors
from pipelines.work.output import PAGE_SUFFIXES, check_output, write_text

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
    resume: bool = False,
) -> BuildResult:
    """Builds an index from review files; an index that is there answers until the new one is complete.

    Args:
        reviews: review files in any of the known formats.
        output: the index directory.
        metadata: movie files.
        config: settings; the defaults where none are given.
        report: where the report goes, a web page that the index always holds, besides.
        resume: go on with a build into `output` that was killed or interrupted, from its last checkpoint; its
            files and settings must be these. The figures are those of a build that was never interrupted.

    Raises:
        EngineError: a file, a setting or the output is not usable, or the quality is under the floor.
    """
    config = config or Config()
    output = Path(output)
    check_directory(output, space_needed([*reviews, *metadata]))
    if not resume:
        check_plan(reviews, output=output, metadata=metadata, config=config)
    if report is not None:
        check_output(Path(report), PAGE_SUFFIXES)
    started = time.perf_counter()
    review_files, metadata_files = [Path(path) for path in reviews], [Path(path) for path in metadata]
    with (
        ArtifactWriter(output) as writer,
        resumable_work(writer.work_directory, review_files, metadata_files, config, resume=resume) as work,
        storage_errors(),
    ):
        prepared, catalogue, features = take_in(writer, review_files, metadata_files, config, work)
        quality = measure_quality(prepared, config, work, features)
        baselines = measure_baselines(prepared, config)
        fitted = fit_model(
            training_reviews(prepared, config.sentiment),
            config,
            features=features,
            findings=quality.findings,
            checkpoints=work,
        )
        model = fitted.model
        if catalogue is not None:
            model, start = take_in_cold_movies(model, prepared, catalogue, config)
            write_cold(start, catalogue.new_rows, model.num_movies, writer)
        search = build_search(model, config)
        write_model(model, writer)
        times = times_of_histories(prepared, catalogue)
        write_times(times, writer)
        half_life = config.popularity.half_life_days
        write_popularity(model, model.histories, times, half_life, writer)
        write_search(search, writer)
        writer.add_section("config", config.to_dict())
        writer.add_section("seed", config.seed)
        writer.add_section("metrics", quality.figures | baselines.figures)
        writer.add_section("baselines", baselines.summary())
        writer.add_section("training", fitted.findings.summary())
        writer.add_section("calibration", quality.calibration)
        writer.add_section("audit", search.audit)
        page = write_report(writer, model)
    if report is not None:
        write_text(page, Path(report))
    logger.info("Built %s in %.0f s", output, time.perf_counter() - started)
    return BuildResult(manifest=writer.manifest, directory=output)
