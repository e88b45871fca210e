"""Starts the command line `engine`, which `python -m engine.cli` runs too.

The handlers of signals are installed before the first library is imported, so that even an early Ctrl-C ends
a command with one sentence.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any, NoReturn

from engine.cli.signals import ending, exit_at_once, listening, signal_received


def start() -> NoReturn:
    """Runs the command line, and ends the process with the command's exit code."""
    code: Any = None
    try:
        with listening(for_good=True):
            from engine.cli.main import main

            main.main()
    except SystemExit as end:
        code = end.code
    except BaseException as error:
        number = signal_received()
        if number is None:
            raise
        code = 128 + number
        with suppress(OSError, ValueError):
            sys.stderr.write(f"Error: {ending(number, error)}\n")
    if code and (number := signal_received()) is not None:
        exit_at_once(number)
    sys.exit(code)


if __name__ == "__main__":
    start()
