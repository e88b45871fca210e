"""The command line: answers go to stdout, talk to stderr, and every error of ours ends in one sentence.

Exit codes: 0 done, 1 an error of ours, 2 wrong usage, 130 interrupted; nothing else turns errors into them.
Nothing but click is imported before a command needs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine import (
    cli_build,
    cli_directions,
    cli_evaluate,
    cli_everyone,
    cli_explore,
    cli_index,
    cli_plan,
    cli_recommend,
    cli_similar,
    cli_tune,
    cli_update,
)
from engine.cli_options import index_option, json_option, verbose_option
from engine.cli_output import print_json, print_summary, say_if_retrain
from engine.errors import EngineError


class _Interrupted(click.ClickException):
    exit_code = 130


class _Edge(click.Group):
    """The group of all commands, where errors of ours become a sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EngineError as error:
            raise click.ClickException(" ".join(str(error).split())) from error
        except KeyboardInterrupt as error:
            raise _Interrupted("Interrupted; an index that was there is as it was.") from error


@click.group(cls=_Edge, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="movie-engine", message="%(version)s")
def main() -> None:
    """Recommend movies from an index that is built from reviews."""


@main.command()
@index_option
@click.option("--verify", is_flag=True, help="Read every file of the index and compare its checksum.")
@json_option
@verbose_option
def info(index: Path, verify: bool, as_json: bool) -> None:
    """Show what an index was built from and how good it is."""
    from engine.artifact import Artifact

    artifact = Artifact.open(index)
    if verify:
        artifact.verify()
    facts = {"location": str(artifact.build_directory), **artifact.manifest}
    say_if_retrain(facts)
    if as_json:
        print_json(facts | ({"verified": True} if verify else {}))
    else:
        print_summary(facts)
        if verify:
            click.echo("Every file is as it was written.", err=True)


main.add_command(cli_recommend.recommend)
cli_recommend.recommend.add_command(cli_everyone.everyone)
cli_recommend.recommend.add_command(cli_directions.recommend_movie)
main.add_command(cli_similar.similar)
cli_similar.similar.add_command(cli_directions.similar_reviewer)
main.add_command(cli_directions.predict)
main.add_command(cli_build.build_index)
main.add_command(cli_plan.plan)
main.add_command(cli_build.prepare)
main.add_command(cli_index.index)
main.add_command(cli_update.add_reviews)
main.add_command(cli_update.add_movies)
main.add_command(cli_evaluate.evaluate)
main.add_command(cli_tune.tune)
main.add_command(cli_explore.explore)


if __name__ == "__main__":
    main()
