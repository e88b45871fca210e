"""The command line: answers go to stdout, talk to stderr, and every error of ours ends in one sentence.

Exit codes: 0 done, 1 an error of ours, 2 wrong usage, 130 interrupted; nothing else turns errors into them.
Nothing but click is imported before a command needs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine import cli_build, cli_evaluate, cli_explore, cli_tune
from engine.cli_options import index_option, json_option, k_option, verbose_option, where_option
from engine.cli_output import print_json, print_recommendations, print_similar, print_summary
from engine.errors import ConfigError, EngineError


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


@main.group()
def recommend() -> None:
    """Recommend movies to someone."""


@recommend.command()
@click.argument("reviewer_id")
@index_option
@k_option
@where_option
@click.option("--include-seen", is_flag=True, help="List movies too that the reviewer has reviewed.")
@json_option
@verbose_option
def reviewer(
    reviewer_id: str, index: Path, k: int, where: str | None, include_seen: bool, as_json: bool
) -> None:
    """List the movies that suit a reviewer best, most suitable first.

    Each comes with the stars that the reviewer would give it and the chance that they would like it.
    """
    _check_k(k)
    from engine import Engine

    items = Engine.load(index).recommend(reviewer_id, k, where=where, include_seen=include_seen)
    shown = [item.to_dict() for item in items]
    if as_json:
        print_json({"reviewer_id": reviewer_id, "k": k, "recommendations": shown})
    else:
        print_recommendations(shown)
        _say_if_short(len(shown), k)


@main.group()
def similar() -> None:
    """Find what is alike."""


@similar.command()
@click.argument("movie_id")
@index_option
@k_option
@where_option
@json_option
@verbose_option
def movie(movie_id: str, index: Path, k: int, where: str | None, as_json: bool) -> None:
    """List the movies that are most like a movie, judged by who reviewed them and how."""
    _check_k(k)
    from engine import Engine

    engine = Engine.load(index)
    shown = [item.to_dict() for item in engine.similar(movie_id, k, where=where)]
    title = engine.title(movie_id)
    if as_json:
        print_json({"movie_id": movie_id, "title": title, "similar": shown})
    else:
        click.echo(f"Like {title or movie_id}:", err=True)
        print_similar(shown)
        _say_if_short(len(shown), k)


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
    if as_json:
        print_json(facts | ({"verified": True} if verify else {}))
    else:
        print_summary(facts)
        if verify:
            click.echo("Every file is as it was written.", err=True)


main.add_command(cli_build.build_index)
main.add_command(cli_build.prepare)
main.add_command(cli_evaluate.evaluate)
main.add_command(cli_tune.tune)
main.add_command(cli_explore.explore)


def _check_k(k: int) -> None:
    if k < 1:
        raise ConfigError(f"-k must be at least 1 but is {k}; it says how many movies to list")


def _say_if_short(found: int, wanted: int) -> None:
    if found < wanted:
        shown = {0: "No movie", 1: "Only one movie"}.get(found, f"Only {found:,} movies")
        click.echo(f"{shown} can be listed.", err=True)


if __name__ == "__main__":
    main()
