"""Limits NumPy's matrix products to one thread while a question is answered.

The matrix products of one answer are too small to become faster with several threads. On a busy machine,
several threads that wait for each other use far more processor time than one thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


class _Limit:
    """Limits matrix products of the process to one thread as long as any answer is being computed.

    If another part of the program has already limited matrix products to one thread, nothing changes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_answers = 0
        self._limited: Any = None

    def begin(self) -> None:
        """Counts the beginning of an answer; limits matrix products to one thread if no other answer runs."""
        with self._lock:
            if self._num_answers == 0:
                self._limited = _controller().limit(limits=1)
                _let_other_threads_restore()
            self._num_answers += 1

    def end(self) -> None:
        """Counts the end of an answer; removes the limit to one thread if no other answer runs."""
        with self._lock:
            self._num_answers -= 1
            if self._num_answers == 0:
                self._limited.restore_original_limits()
                _let_other_threads_restore()


_limit = _Limit()


@contextmanager
def one_thread() -> Iterator[None]:
    """Runs NumPy's matrix products in one thread within a `with` statement or a decorated function.

    The limit to one thread holds for the whole process. When several threads of the process compute answers
    at the same time, the limit to one thread is removed after the last answer.
    """
    _limit.begin()
    try:
        yield
    finally:
        _limit.end()


@cache
def _controller() -> ThreadpoolController:
    """Finds the linear algebra libraries (BLAS) that the process has loaded."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def _let_other_threads_restore() -> None:
    """Allows every thread of the process to change how many threads a matrix product uses.

    After one thread has changed how many threads a matrix product of OpenBLAS uses, the package threadpoolctl
    ignores such changes by all other threads, until `clear_controlling_thread` is called. The thread that
    ends the last answer must be able to remove the limit to one thread, even if another thread began the
    first answer and set the limit.
    """
    from threadpoolctl import OpenBLASController

    OpenBLASController.clear_controlling_thread()
