"""Builds an index from files of reviews and metadata: reads files, trains a model, and writes the index.

files -> ingest -> tables -> arrays -> measure -> train -> cold start -> index -> audit -> artifact
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.arrays import Floats
from engine.artifact import layout
from engine.artifact.writer import ArtifactWriter, check_directory
from engine.config.sections import Config
from engine.errors import NotPublishedError
from engine.model.scorer import Model
from engine.tables.facts import Facts
from pipelines.building.intake import space_needed, take_in
from pipelines.building.plan import check_plan, expected_seconds
from pipelines.building.publishing import Comparison, judge, read_condition
from pipelines.building.quality import (
    Baselines,
    Quality,
    find_on_part,
    measure_baselines,
    measure_quality,
)
from pipelines.building.resuming import resumable_work
from pipelines.building.steps import Steps
from pipelines.cold_start.joining import take_in_cold_movies
from pipelines.dataset.movie_figures import popularity_of
from pipelines.dataset.reviews import Reviews, say_likes
from pipelines.dataset.sentiment import training_reviews
from pipelines.export.arrays import write_model, write_times
from pipelines.export.collection import check_database
from pipelines.export.report import write_report
from pipelines.export.vector_index import build_search, write_search
from pipelines.ingest.journal import divided
from pipelines.inputs.named import Sources, inputs_of
from pipelines.inputs.spool import Input
from pipelines.similar.evidence import Evidence
from pipelines.similar.likeness import similar_table, write_similar
from pipelines.training.fit import Findings, find, fit_model
from pipelines.work.checkpoints import Checkpoints
from pipelines.work.database import storage_errors
from pipelines.work.extras import require_build_packages
from pipelines.work.output import PAGE_SUFFIXES, check_output, write_text
from pipelines.work.runners import HERE, Runner, check_place, runner_for
from pipelines.work.threads import one_thread

logger = logging.getLogger(__name__)

_SHOWN = (
    layout.COUNTS_SECTION,
    layout.ACCOUNTING_SECTION,
    layout.METRICS_SECTION,
    layout.AUDIT_SECTION,
)
"""The sections of the manifest that a notebook shows for a `BuildResult`."""


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """Holds the manifest of the index that a build wrote, and the directory of the index.

    Attributes:
        manifest: the manifest of the index, which holds settings, counts, metrics and facts about the
            training.
        directory: the directory of the index, which `Engine.load` opens.
    """

    manifest: dict[str, Any]
    directory: Path

    def _repr_html_(self) -> str:
        """Returns the directory and the main facts of the manifest as an HTML table, for notebooks."""
        shown = {name: self.manifest.get(name) for name in _SHOWN}
        return Facts({"directory": str(self.directory), **shown})._repr_html_()


def build_index(
    reviews: Sources,
    *,
    output: Path | str,
    metadata: Sources = (),
    config: Config | None = None,
    report: Path | str | None = None,
    resume: bool = False,
    keep: int | None = None,
    publish_if: str | None = None,
    on: str | None = None,
    address: str | None = None,
) -> BuildResult:
    """Builds an index from files of reviews or tables in memory, and from the journal of `output`.

    If the directory `output` holds an older index, the older index stays in use until the new index is
    complete. The journal holds the feedback that the HTTP service has received; every line of the journal is
    read.

    Args:
        reviews: the path of a review file in any of the known formats, or of a folder that is a journal; a
            table of reviews, such as a DataFrame of pandas or Polars or a table of Arrow; or a list of paths
            and tables. A table is read by the same rules as a file.
        output: the directory to which the index is written.
        metadata: files or tables with metadata of movies, as for `reviews`.
        config: the settings of the build; by default the default settings.
        report: the path of a copy of report.html, the report that is written to every index; None for no
            copy.
        resume: True to continue an interrupted build into `output` from the build's last checkpoint. To
            resume a build, give the same files and settings with which the build was started. A resumed build
            gives the same index as a build without interruption.
        keep: how many builds the directory keeps, the new build included; by default as many as before, and
            2 in a new directory. `roll_back` in engine/artifact/builds.py makes a kept build live again.
        publish_if: the condition under which the new build replaces the live build, such as
            "ndcg@10 >= 0.97 * live"; by default the new build always replaces the live build.
        on: "ray" to let workers of Ray read files and run independent trainings at the same time; None to
            work in this process. The resulting index does not depend on `on`.
        address: the address of a Ray cluster, or "auto" for the cluster that this machine belongs to; None to
            start Ray on this machine.

    Raises:
        NotPublishedError: the new build does not meet the condition `publish_if`, and is kept beside the live
            build.
        EngineError: a file, a setting or the output is not usable; the recall of the two-stage search stays
            below `index.recall_floor`.
    """
    require_build_packages("A build")
    check_place(on, address, 0)
    started = time.perf_counter()
    config, output = config or Config(), Path(output)
    check_database(config.index, output)
    if report is not None:
        check_output(Path(report), PAGE_SUFFIXES)
    condition = None if publish_if is None else read_condition(publish_if, config, output)
    with inputs_of(reviews, metadata) as (review_inputs, metadata_inputs):
        check_directory(output, space_needed([*review_inputs, *metadata_inputs]))
        if not resume:
            check_plan(divided(review_inputs)[0], output=output, metadata=metadata_inputs, config=config)
        writer = ArtifactWriter(output, resumable=True, keep=keep)
        with runner_for(on, address) as runner:
            page, refusal = _build(
                writer, review_inputs, metadata_inputs, config, condition, runner, resume=resume
            )
    if report is not None:
        write_text(page, Path(report))
    if refusal is not None:
        raise refusal
    logger.info("Built %s in %.0f s", output, time.perf_counter() - started)
    return BuildResult(manifest=writer.manifest, directory=output)


@one_thread()
def _build(
    opened: ArtifactWriter,
    reviews: Sequence[Input],
    metadata: Sequence[Input],
    config: Config,
    condition: list[Comparison] | None,
    runner: Runner,
    *,
    resume: bool,
) -> tuple[str, NotPublishedError | None]:
    """Builds an index; returns the index's report, and an error if the index does not meet `condition`."""
    with (
        opened as writer,
        resumable_work(writer.work_directory, reviews, metadata, config, resume=resume) as work,
        storage_errors(),
        Steps() as steps,
    ):
        steps.begin()
        intake = take_in(writer, reviews, metadata, config, work, runner)
        prepared = intake.reviews
        say_likes(prepared, config)
        if prepared.like_count is not None:
            # A later update reads from the manifest whether ratings are counts, and which counts are likes.
            config = replace(
                config,
                ingest=replace(config.ingest, ratings="counts"),
                rating=replace(config.rating, like_rating=prepared.like_count),
            )
        steps.begin(expected_seconds(len(prepared), prepared.num_movies))
        shared = runner.share(prepared)
        beside = runner.begin(measure_baselines, shared, config)
        part = (prepared, config, work, intake.features)
        found = find_on_part(*part, intake.learned_traits, runner)
        findings = found or find(
            training_reviews(prepared, config.sentiment),
            config,
            features=intake.features,
            traits=intake.learned_traits,
            checkpoints=work,
            runner=runner,
        )
        final = runner.begin(_fit_all, shared, config, intake.features, findings, runner.keep(work), runner)
        quality = measure_quality(*part, found, runner)
        steps.begin()
        baselines: Baselines = beside()
        steps.begin()
        model: Model = final()
        steps.begin()
        model, times = take_in_cold_movies(model, prepared, intake.catalogue, config, writer)
        search = build_search(model, config, writer, writer.path_for(layout.CATALOGUE_FILE))
        write_model(model, writer)
        write_times(times, writer)
        popularity = popularity_of(model, model.histories, times, config.popularity.half_life_days)
        writer.add_array(layout.POPULARITY, popularity)
        write_search(search, writer)
        weights = findings.likeness
        write_similar(similar_table(Evidence(model, intake.traits), weights), weights, writer)
        _write_facts(writer, config, quality, baselines, findings)
        page = write_report(writer, model)
        refusal = None if condition is None else judge(condition, writer)
    return page, refusal


def _fit_all(
    reviews: Reviews,
    config: Config,
    features: Floats | None,
    findings: Findings,
    checkpoints: Checkpoints,
    runner: Runner,
) -> Model:
    """Trains the model of the index on all reviews.

    With Ray, this function runs in a worker of Ray, while the main process of the build measures quality. If
    the setting `relevance.num_parts` is above 1, the reviewers are divided into this number of groups. Each
    group of reviewers then gets a worker of Ray in addition to the worker that runs this function. The worker
    of a group trains on the reviews of the group.
    """
    learned = training_reviews(reviews, config.sentiment)
    runner = runner if config.relevance.num_parts > 1 else HERE
    return fit_model(
        learned, config, features=features, findings=findings, checkpoints=checkpoints, runner=runner
    ).model


def _write_facts(
    writer: ArtifactWriter, config: Config, quality: Quality, baselines: Baselines, findings: Findings
) -> None:
    """Adds the settings, the metrics and facts about the training to the manifest of the index."""
    writer.add_section(layout.CONFIG_SECTION, config.to_dict())
    writer.add_section(layout.SEED_SECTION, config.seed)
    writer.add_section(layout.METRICS_SECTION, quality.figures | baselines.figures)
    writer.add_section(layout.BASELINES_SECTION, {"left_out": baselines.left_out})
    writer.add_section(layout.TRAINING_SECTION, findings.summary())
    writer.add_section(layout.CALIBRATION_SECTION, quality.calibration)
