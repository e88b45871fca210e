"""Finds and runs a command, and turns an error into a sentence and an exit code.

Answers are printed to stdout, and progress and warnings to stderr. The exit code is 0 for success; 1 for an
`EngineError`; 2 for wrong usage; 3 for a build that did not become live; 128 plus the number of a signal that
ended the command. No other file turns errors into exit codes. The module of a command is imported when a user
runs the command; a large library is imported when the command first uses the library.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from engine.cli.signals import ending, listening, signal_received
from engine.cli.terminal import prepare_streams, say, say_error
from engine.errors import EngineError, NotPublishedError, shown

_COMMANDS = {
    "add-movies": "engine.cli.commands.indexing.add:add_movies",
    "add-reviews": "engine.cli.commands.indexing.add:add_reviews",
    "build-index": "engine.cli.commands.indexing.build_index:build_index",
    "compare": "engine.cli.commands.indexing.compare:compare",
    "evaluate": "engine.cli.commands.studying.evaluate:evaluate",
    "explore": "engine.cli.commands.studying.explore:explore",
    "index": "engine.cli.commands.indexing.reindex:index",
    "info": "engine.cli.commands.indexing.info:info",
    "plan": "engine.cli.commands.studying.plan:plan",
    "predict": "engine.cli.commands.answering.predict:predict",
    "prepare": "engine.cli.commands.studying.prepare:prepare",
    "pull": "engine.cli.commands.indexing.push:pull",
    "push": "engine.cli.commands.indexing.push:push",
    "recommend": "engine.cli.commands.answering.recommend:recommend",
    "reindex": "engine.cli.commands.indexing.reindex:reindex",
    "rollback": "engine.cli.commands.indexing.rollback:rollback",
    "serve": "engine.cli.commands.answering.serve:serve",
    "show": "engine.cli.commands.answering.show:show",
    "similar": "engine.cli.commands.answering.similar:similar",
    "tune": "engine.cli.commands.studying.tune:tune",
}
_NOT_PUBLISHED = 3
"""The exit code of a command whose new build breaks the condition of --publish-if."""


class _SignalledError(click.ClickException):
    """A signal ended the command.

    Attributes:
        exit_code: 128 plus the number of the signal, as a shell reports a process that a signal killed.
    """

    def __init__(self, number: int, error: BaseException) -> None:
        super().__init__(ending(number, error))
        self.exit_code = 128 + number  # type: ignore[misc]


class LazyGroup(click.Group):
    """Imports each command of a group when the command runs, and prints an `EngineError` as one sentence.

    Args:
        places: maps the name of each command to the module and the function that define the command, as
            "module:function". Besides the commands in `places`, the group holds the commands that click's
            method `add_command` has added.
    """

    def __init__(self, *args: Any, places: Mapping[str, str], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands in alphabetical order, without importing a command."""
        return sorted({*super().list_commands(ctx), *self._places})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports and returns the command of a name; returns None if the name is unknown."""
        if cmd_name not in self.commands and cmd_name in self._places:
            module, _, function = self._places[cmd_name].partition(":")
            self.add_command(getattr(import_module(module), function), cmd_name)
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Returns the command that the arguments name; for an unknown name, the error suggests a name."""
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx):
            import difflib

            close = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            advice = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"No such command {shown(name)}.{advice}")
        return super().resolve_command(ctx, args)

    def main(self, args: Sequence[str] | None = None, **settings: Any) -> Any:  # type: ignore[override]
        """Runs the command line as click does, and prints each error or signal as one sentence."""
        if not settings.pop("standalone_mode", True):
            return super().main(args, standalone_mode=False, **settings)
        with listening():
            prepare_streams()
            try:
                code = super().main(args, standalone_mode=False, **settings)
            except click.Abort as error:
                number = signal_received()
                say("Aborted!" if number is None else f"Error: {ending(number, error)}", err=True)
                code = 1 if number is None else 128 + number
            except click.ClickException as error:
                say_error(error)
                code = error.exit_code
            except OSError as error:
                what = "" if error.filename is None else f"{error.filename}: "
                reason = error.strerror or error
                say_error(click.ClickException(f"The system refuses to go on: {what}{reason}."))
                code = 1
            sys.exit(code)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command; turns an `EngineError` or a signal into a sentence on stderr and an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except BaseException as error:
            number = signal_received() or (isinstance(error, KeyboardInterrupt) and signal.SIGINT)
            if number:
                raise _SignalledError(number, error) from error
            if isinstance(error, EngineError):
                said = "; ".join([str(error), *getattr(error, "__notes__", [])])
                refusal = click.ClickException(" ".join(said.split()))
                if isinstance(error, NotPublishedError):
                    refusal.exit_code = _NOT_PUBLISHED  # type: ignore[misc]
                raise refusal from error
            raise


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
