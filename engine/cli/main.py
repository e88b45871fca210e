"""The command line: answers go to stdout, talk to stderr, and every error of ours ends in one sentence.

Exit codes: 0 done, 1 an error of ours, 2 wrong usage, 130 interrupted; nothing else turns errors into them.
Nothing but click is imported before a command needs it, and no command before it is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.cli.lazy import LazyGroup
from engine.cli.options import index_option, json_option, verbose_option
from engine.cli.output import print_json, print_summary, say_if_retrain
from engine.errors import EngineError

_COMMANDS = {
    "add-movies": "engine.cli.commands.add:add_movies",
    "add-reviews": "engine.cli.commands.add:add_reviews",
    "build-index": "engine.cli.commands.build_index:build_index",
    "evaluate": "engine.cli.commands.evaluate:evaluate",
    "explore": "engine.cli.commands.explore:explore",
    "index": "engine.cli.commands.index:index",
    "plan": "engine.cli.commands.plan:plan",
    "predict": "engine.cli.commands.predict:predict",
    "prepare": "engine.cli.commands.build_index:prepare",
    "recommend": "engine.cli.commands.recommend:recommend",
    "similar": "engine.cli.commands.similar:similar",
    "tune": "engine.cli.commands.tune:tune",
}


class _Interrupted(click.ClickException):
    exit_code = 130


class _Edge(LazyGroup):
    """The group of all commands, where errors of ours become a sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EngineError as error:
            raise click.ClickException(" ".join(str(error).split())) from error
        except KeyboardInterrupt as error:
            raise _Interrupted("Interrupted; an index that was there is as it was.") from error


@click.group(
    cls=_Edge,
    places=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
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
    from engine.artifact.reader import Artifact

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


if __name__ == "__main__":
    main()
