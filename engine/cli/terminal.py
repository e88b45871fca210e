"""Prints text on stdout and stderr; replaces characters that could control the terminal.

Commands print with the functions of this file. A command prints its answer on stdout, and remarks, warnings
and errors on stderr.
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
"""The largest number of characters of a title in a heading, or in a choice between several movies."""
_CLOSED_PIPE = 141
"""The exit code of a command whose output nobody reads any more; a shell reports the signal SIGPIPE by the
same number."""
_PACKAGES = ("engine", "indexes", "pipelines")
"""The packages whose log lines commands print."""
_LONGEST_ERROR = 2_000
"""The largest number of characters of a printed error message, since a message may quote a value of any
length."""


def visible(text: str) -> str:
    r"""Replaces each invisible character of a text by an escape sequence such as \x1b; keeps line breaks.

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
    """Prints a text and a line break, to stdout or, if `err` is true, to stderr; keeps tabs.

    If stderr cannot be written to, no error is raised, because nobody could read the error.

    Raises:
        click.ClickException: stdout cannot be written to.
        click.exceptions.Exit: no program reads stdout any more; the command then ends without a message.
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
    """Prints a value as JSON; escapes all letters but ASCII if the encoding of stdout is not Unicode.

    With `indent`, the JSON has several lines, indented by `indent` blanks; if `indent` is None, the JSON has
    one line.
    """
    plain = "utf" in (getattr(sys.stdout, "encoding", None) or "").lower()
    text = json.dumps(value, ensure_ascii=not plain, indent=indent, default=str)
    say(_replace_hidden(text, _escaped_in_json))


def prepare_streams() -> None:
    """Makes stdout, stderr and warnings accept any text, with escapes for letters that cannot be encoded."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(LogFormatter())


class LogFormatter(logging.Formatter):
    """Formats a log record as one line without invisible characters."""

    def format(self, record: logging.LogRecord) -> str:
        """Formats a log record as one line without invisible characters."""
        return on_one_line(super().format(record))


def start_logging(level: int) -> None:
    """Sends log lines of the engine, from a level on, to stderr; leaves the logs of other libraries alone."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(handlers=[handler])
    for name in _PACKAGES:
        logger = logging.getLogger(name)
        logger.setLevel(min(level, logger.level or level))


def say_error(error: click.ClickException) -> None:
    """Prints the sentence of an error to stderr; after wrong usage, also prints how to use the command."""
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
    """Redirects a stream to /dev/null, so that Python can flush the stream without an error at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _escaped(letter: str) -> str:
    return repr(letter)[1:-1]


def _replace_hidden(text: str, written: Callable[[str], str], kept: str = "\n") -> str:
    hidden = {letter for letter in set(text) if letter not in kept and not letter.isprintable()}
    return text.translate({ord(letter): written(letter) for letter in hidden}) if hidden else text


def _escaped_in_json(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else json.dumps(letter)[1:-1]
