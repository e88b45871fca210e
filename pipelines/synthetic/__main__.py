"""Writes a synthetic data set from the command line: python -m pipelines.synthetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.errors import EngineError
from pipelines.synthetic.dirt import DirtRates
from pipelines.synthetic.write import write_synthetic


@click.command()
@click.option("--reviews", "num_reviews", type=int, required=True, help="Lines of the review file.")
@click.option(
    "--reviewers", "num_reviewers", type=int, help="Reviewers who write them. [default: reviews / 2.3]"
)
@click.option("--movies", "num_movies", type=int, help="Movies on sale. [default: as in real sets]")
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write to."
)
@click.option("--seed", type=int, default=42, show_default=True, help="Names the data set.")
@click.option("--clean", is_flag=True, help="Plant no dirt and no film variants.")
@click.option("--plain", is_flag=True, help="Write plain files, not gzipped ones.")
@click.option("--brief", is_flag=True, help="Write reviews of a sentence or two.")
def main(output: Path, *, clean: bool, plain: bool, **sizes: Any) -> None:
    """Write a synthetic data set in the format of the Amazon 2018 review files."""
    try:
        files = write_synthetic(
            output, dirt=DirtRates.none() if clean else DirtRates(), compress=not plain, **sizes
        )
    except EngineError as error:
        raise click.ClickException(str(error)) from error
    for path in files:
        click.echo(path)


if __name__ == "__main__":
    main()
