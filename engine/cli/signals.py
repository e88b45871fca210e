"""Ends a command with one sentence after a signal: Ctrl-C (SIGINT), SIGTERM or SIGHUP.

The first signal raises KeyboardInterrupt, so that the command can remove what it has begun to write. A second
signal ends the process without a clean-up. The process ends without a clean-up if the command is still
running ten seconds after the first signal. The exit code is 128 plus the number of the signal, such as 130
after Ctrl-C.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.machinery import ExtensionFileLoader
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SECONDS_APART = 0.3
"""The number of seconds during which several signals count as one signal, since some programs send a signal
to a process and also to its process group."""
_SECONDS_TO_TRY = 0.05
"""If the KeyboardInterrupt of the first signal that the process received, such as Ctrl-C, was delayed or got
lost, the process sends itself the signal again after `_SECONDS_TO_TRY` seconds."""
_SECONDS_TO_END = 10.0
"""The number of seconds that a command has for its clean-up after a signal; the next command removes what the
clean-up left."""
_EXECUTE = ExtensionFileLoader.exec_module.__code__
_CREATE = ExtensionFileLoader.create_module.__code__


class _State:
    """Records the first signal that the process received, and what the next signal does."""

    listening = False
    """Whether the signal handlers of this file are installed."""
    raising = False
    """Whether the next signal raises KeyboardInterrupt."""
    again = False
    """Whether the process must send the first signal to itself again, because the KeyboardInterrupt of the
    first signal was delayed or got lost."""
    first: int | None = None
    """The number of the first signal that the process received; None before the first signal."""


_state = _State()


def signal_received() -> int | None:
    """Returns the number of the first signal that the process received; None if no signal has come.

    Callers need the number of the signal, because some libraries turn a KeyboardInterrupt into another error.
    """
    return _state.first


def ending(number: int, error: BaseException) -> str:
    """Returns the sentence that tells the user which signal ended the command.

    The sentence ends with the notes (`__notes__`) of `error`, the exception that ended the command.
    """
    what = "Interrupted" if number == signal.SIGINT else f"Ended by {signal.Signals(number).name}"
    notes = getattr(error, "__notes__", [])
    return "; ".join([f"{what}; every file and index is as it was before, or complete", *notes]) + "."


@contextmanager
def listening(*, for_good: bool = False) -> Iterator[None]:
    """Makes the first signal raise KeyboardInterrupt within the `with` statement.

    After the `with` statement, signals do what they did before; if `for_good` is true, signals do nothing. If
    the process ignores a signal already, as SIGHUP under `nohup`, the process goes on ignoring the signal. A
    call inside another call's `with` statement, or outside the main thread, changes nothing.
    """
    if _state.listening or threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.listening, _state.first = True, None
    _occupy_streams()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    threading.Thread(target=_watch, args=(reader,), name="signals", daemon=True).start()
    # The system writes a signal's number into the pipe at once, even while a library keeps Python waiting.
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    hook, sys.unraisablehook = sys.unraisablehook, _on_unraisable
    for number in before:
        signal.signal(number, _on_signal)
    try:
        _state.raising = True
        if _state.first is not None:
            raise KeyboardInterrupt
        yield
    finally:
        _state.raising = False
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if for_good else handler)
        sys.unraisablehook = hook
        signal.set_wakeup_fd(-1)
        os.close(writer)
        _state.listening = False


def _occupy_streams() -> None:
    """Opens /dev/null in place of each closed standard stream (stdin, stdout, stderr).

    If a standard stream stayed closed, a file that is opened later could get the number of the stream, and
    the program would write its output into the file.
    """
    with suppress(OSError):
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(descriptor)


def _on_signal(number: int, frame: FrameType | None) -> None:
    """Raises KeyboardInterrupt at the first signal; the thread `_watch` handles later signals.

    During the import of a compiled module, KeyboardInterrupt is postponed, because an error in the import may
    crash the process.
    """
    if _state.first is None:
        _state.first = number
    if _state.raising:
        _state.again = _imports_compiled(frame)
        if not _state.again:
            _state.raising = False
            raise KeyboardInterrupt


def _imports_compiled(frame: FrameType | None) -> bool:
    """Tells whether a frame, or a caller of the frame, is importing a compiled module."""
    while frame is not None:
        if frame.f_code is _EXECUTE or frame.f_code is _CREATE:
            return True
        frame = frame.f_back
    return False


def _on_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Handles an unraisable exception, which Python cannot pass to a caller, such as one in `__del__`.

    Before the process receives its first signal, such as Ctrl-C, Python's own handler prints each unraisable
    exception. After the first signal, an unraisable KeyboardInterrupt makes the thread `_watch` send the
    first signal to the process again. After the first signal, every other unraisable exception is ignored.
    """
    if _state.first is None:
        sys.__unraisablehook__(unraisable)
    elif isinstance(unraisable.exc_value, KeyboardInterrupt):
        _state.raising = _state.again = True


def _watch(reader: int) -> None:
    """Ends the process at the second signal, or ten seconds after the first signal.

    If the KeyboardInterrupt that belongs to the first signal of the process, such as Ctrl-C, was delayed or
    got lost, the function sends the signal to the process again. The function runs in a thread, which ends
    when the other end of the pipe `reader` is closed.
    """
    first, began, num_sent = 0, 0.0, 0
    pipe = select.poll()
    pipe.register(reader, select.POLLIN)
    while True:
        if pipe.poll(_SECONDS_TO_TRY * 1000 if first else None):
            byte = os.read(reader, 1)
            if not byte:
                os.close(reader)
                return
            if byte[0] not in _SIGNALS or signal.getsignal(byte[0]) is not _on_signal:
                # A signal with another handler is left to that handler, for example the handler of a server.
                continue
            if num_sent:
                num_sent -= 1
            elif not first:
                first, began = byte[0], time.monotonic()
            elif time.monotonic() - began > _SECONDS_APART:
                exit_at_once(first)
        elif _state.again:
            num_sent += 1
            signal.pthread_kill(threading.main_thread().ident or 0, first)
        if first and time.monotonic() - began > _SECONDS_TO_END:
            with suppress(OSError, ValueError):
                sys.stderr.write(f"Error: {ending(first, KeyboardInterrupt())}\n")
            exit_at_once(first)


def exit_at_once(number: int) -> NoReturn:
    """Ends the process without Python's own shutdown, in which interrupted libraries may crash."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(128 + number)
