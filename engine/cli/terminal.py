"""Prints text on stdout and stderr; replaces characters that could control the terminal.

All other files print with the functions of this file. The answer of a command goes to stdout; remarks,
warnings and errors go to stderr.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO

import click

MOST_SHOWN = 100
"""The largest number of characters of a title that are shown in a heading or in a list of choices."""
_CLOSED_PIPE = 141
"""The exit code of a command whose output nobody reads any more, the same as after the signal SIGPIPE."""
_PACKAGES = ("engine", "indexes", "pipelines")
"""The packages whose log lines commands print."""
_LONGEST_ERROR = 2_000
"""The largest number of characters of an error message that are printed, since a message may quote a value of
any length."""


def visible(text: str) -> str:
    r"""Replaces each invisible character of a text by an escape sequence; keeps line breaks.

    >>> print(visible("\x1b[31mred \u202e"))
    \x1b[31mred \u202e
    """
    return _replace_hidden(text, _escaped)


def on_one_line(text: str) -> str:
    r"""Replaces invisible characters and line breaks of a text by escape sequences.

    >>> print(on_one_line("two\nlines"))
    two\nlines
    """
    return visible(text).replace("\n", "\\n")


def say(text: str = "", *, err: bool = False) -> None:
    """Prints a text and a line break to stdout, or to stderr if `err` is true; keeps tabs.

    If stderr cannot be written, no error is raised, because an error message could not be printed either.

    Raises:
        click.ClickException: stdout is closed or cannot be written to.
        click.exceptions.Exit: the reader of stdout has gone; the command then ends silently, as other
            command-line tools do.
    """
    stream = sys.stderr if err else sys.stdout
    try:
        if stream is None:
            raise OSError(errno.EBADF, "it is closed")
        click.echo(_replace_hidden(text, _escaped, kept="\n\t"), file=stream)
    except OSError as error:
        if err:
            return
        if stream is not None:
            _discard(stream)
        if error.errno == errno.EPIPE:
            raise click.exceptions.Exit(_CLOSED_PIPE) from error
        raise click.ClickException(f"The answer cannot be printed on stdout: {error.strerror}.") from error


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Prints a value as JSON; escapes letters beyond ASCII unless stdout has a Unicode encoding.

    The JSON takes several lines, indented by `indent` spaces, or one line if `indent` is None.
    """
    plain = "utf" in (getattr(sys.stdout, "encoding", None) or "").lower()
    text = json.dumps(value, ensure_ascii=not plain, indent=indent, default=str)
    say(_replace_hidden(text, _escaped_in_json))


def prepare_streams() -> None:
    """Lets stdout, stderr and warnings print any text, even characters that the stream's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(LogFormatter())


class LogFormatter(logging.Formatter):
    """Formats a log record as one line in which every character is visible."""

    def format(self, record: logging.LogRecord) -> str:
        """Formats a log record as one line."""
        return on_one_line(super().format(record))


def start_logging(level: int) -> None:
    """Sends the engine's log lines of a level and above to stderr; other libraries log as before."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(handlers=[handler])
    for name in _PACKAGES:
        logger = logging.getLogger(name)
        logger.setLevel(min(level, logger.level or level))


def say_error(error: click.ClickException) -> None:
    """Prints the sentence of an error to stderr; after a wrong usage, also prints the command's usage."""
    said = f"Error: {on_one_line(error.format_message())}"
    if len(said) > _LONGEST_ERROR:
        said = f"{said[:_LONGEST_ERROR]}..."
    if isinstance(error, click.UsageError) and (context := error.ctx) is not None:
        usage = (
            f"{context.get_usage()}\nTry '{context.command_path} {context.help_option_names[0]}' for help."
        )
        say(f"{usage}\n", err=True)
        if isinstance(error, click.NoSuchOption | click.BadOptionUsage) and _takes_arguments(context):
            said += " To ask for an id that begins with a hyphen, write -- before the id."
    say(said, err=True)


def _takes_arguments(context: click.Context) -> bool:
    return any(isinstance(one, click.Argument) for one in context.command.params)


def _discard(stream: TextIO) -> None:
    """Redirects a stream to the null device, so that Python does not fail to write the stream at the end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _escaped(letter: str) -> str:
    return repr(letter)[1:-1]


def _replace_hidden(text: str, written: Callable[[str], str], kept: str = "\n") -> str:
    hidden = {letter for letter in set(text) if letter not in kept and not letter.isprintable()}
    return text.translate({ord(letter): written(letter) for letter in hidden}) if hidden else text


def _escaped_in_json(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else json.dumps(letter)[1:-1]
