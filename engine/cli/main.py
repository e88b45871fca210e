"""Starts the command line: finds the command asked for, and ends every error of ours in one sentence.

Answers go to stdout, talk to stderr. Exit codes: 0 done, 1 an error of ours, 2 wrong usage, 130 interrupted;
no other file turns errors into exit codes. A command is imported when it is asked for, and imports what it
needs when it runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from engine.errors import EngineError

_COMMANDS = {
    "add-movies": "engine.cli.commands.add:add_movies",
    "add-reviews": "engine.cli.commands.add:add_reviews",
    "build-index": "engine.cli.commands.build_index:build_index",
    "evaluate": "engine.cli.commands.evaluate:evaluate",
    "explore": "engine.cli.commands.explore:explore",
    "index": "engine.cli.commands.reindex:index",
    "info": "engine.cli.commands.info:info",
    "plan": "engine.cli.commands.plan:plan",
    "predict": "engine.cli.commands.predict:predict",
    "prepare": "engine.cli.commands.prepare:prepare",
    "recommend": "engine.cli.commands.recommend:recommend",
    "reindex": "engine.cli.commands.reindex:reindex",
    "similar": "engine.cli.commands.similar:similar",
    "tune": "engine.cli.commands.tune:tune",
}


class _Interrupted(click.ClickException):
    exit_code = 130


class LazyGroup(click.Group):
    """A group that imports a command when the command is asked for, and says errors of ours in a sentence.

    Args:
        places: "module:function" of each command, by the command's name. Commands that are added in click's
            own way join them.
    """

    def __init__(self, *args: Any, places: Mapping[str, str], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands, imported or not, in the order of the alphabet."""
        return sorted({*super().list_commands(ctx), *self._places})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns a command, imported where it was not asked for before; None for an unknown name."""
        if cmd_name not in self.commands and cmd_name in self._places:
            module, _, function = self._places[cmd_name].partition(":")
            self.add_command(getattr(import_module(module), function), cmd_name)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command; turns errors of ours, and an interrupt, into a sentence and an exit code."""
        try:
            return super().invoke(ctx)
        except EngineError as error:
            raise click.ClickException(" ".join(str(error).split())) from error
        except KeyboardInterrupt as error:
            raise _Interrupted("Interrupted; an index that was there is as it was.") from error


@click.group(
    cls=LazyGroup,
    places=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="movie-engine", message="%(version)s")
def main() -> None:
    """Recommend movies from an index that is built from reviews."""


if __name__ == "__main__":
    main()
