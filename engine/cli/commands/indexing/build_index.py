"""Implements `engine build-index`, which builds an index from files of reviews."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.cli.options import DEFAULT_INDEX, FORMAT, KEEP, ON, PATH, VERBOSE, flag, option
from engine.cli.output import print_facts
from engine.cli.source_options import SEED, SENTIMENT, SOURCE, SOURCE_OPTIONS, SourceCommand
from engine.cli.summary import print_build


@click.command(
    name="build-index",
    cls=SourceCommand,
    params=[
        click.Argument(["reviews"], nargs=-1, type=SOURCE),
        flag(["--sample"], help="Build from the small sample that comes with the package."),
        option(
            ["--output"],
            type=PATH,
            default=DEFAULT_INDEX,
            metavar="DIR",
            help="Write the index into this directory. An index that is there answers until the new one is "
            "complete.",
        ),
        option(
            ["--report"],
            type=PATH,
            metavar="FILE.html",
            help="Write the report to this file too; the index holds it as report.html in any case.",
        ),
        flag(
            ["--resume"],
            help="Go on from the last checkpoint of a build into DIR that was killed; give the same files "
            "and settings.",
        ),
        KEEP,
        option(
            ["--publish-if"],
            metavar="CONDITION",
            help="Let the new index answer only if this is true, such as 'ndcg@10 >= 0.97 * live and reviews "
            ">= 0.9 * live'; live is the figure of the index that answers now. Otherwise the index that is "
            "there goes on, and the exit code is 3.",
        ),
        *ON,
        *(*SOURCE_OPTIONS, SEED, SENTIMENT, *FORMAT, VERBOSE),
    ],
)
def build_index(reviews: tuple[Path, ...], sample: bool, format: str, **settings: Any) -> None:
    """Build an index from files of reviews.

    REVIEWS are JSON (Amazon), MovieLens files, CSV or Parquet, plain or compressed (gzip, bzip2, xz, zip). A
    folder stands for all files in it, a pattern such as 'reviews-*.json' for all files that match, and an
    address such as s3://bucket/reviews for files in remote storage (extra [remote]). REVIEWS can also be the
    folder of a Delta or Iceberg table, whose rows are the reviews (extra [lake]). The name - stands for
    standard input. If DIR holds the journal of a service, the feedback in the journal is read. The journal of
    another index is read if REVIEWS names the folder of the journal. At the end the command prints how many
    rows were kept, dropped and rejected, how good the recommendations are on held-out reviews, and the recall
    of the search. The recall is the share of the best movies that the search finds; the best movies are
    determined by scoring every movie. The command `engine info` prints all metrics.
    """
    if bool(reviews) == sample:
        raise click.UsageError("Name at least one file of reviews, or --sample, but not both.")
    import pipelines
    from engine.recommender import Engine

    if sample:
        from pipelines.synthetic.sample import sample_files

        files = sample_files()
        reviews, settings["metadata"] = (files.reviews,), (files.metadata,)
    result = pipelines.build_index(reviews, **settings)
    directory, manifest = result.directory, result.manifest
    [reviewer_id] = Engine.load(directory).reviewer_ids([0])
    facts = {"directory": str(directory), **manifest}
    print_facts(facts, format, lambda: print_build(manifest, directory, reviewer_id))
