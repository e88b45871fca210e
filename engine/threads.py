"""Limits the threads of NumPy's matrix products while a question is answered.

The matrix products of one answer are so small that more threads would not make them faster. On a busy
machine, several threads that wait for each other use far more processor time than one thread.
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

    If another thread of the program has already limited the threads with threadpoolctl, nothing changes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_answers = 0
        self._limited: Any = None

    def begin(self) -> None:
        """Counts an answer that begins, and sets the limit to one thread if the limit is not set yet."""
        with self._lock:
            if self._num_answers == 0:
                self._limited = _controller().limit(limits=1)
                _let_other_threads_restore()
            self._num_answers += 1

    def end(self) -> None:
        """Counts an answer that has ended, and removes the limit to one thread after the last answer."""
        with self._lock:
            self._num_answers -= 1
            if self._num_answers == 0:
                self._limited.restore_original_limits()
                _let_other_threads_restore()


_limit = _Limit()


@contextmanager
def one_thread() -> Iterator[None]:
    """Runs NumPy's matrix products in one thread within a `with` statement or a decorated function.

    The limit to one thread holds for the whole process. Several threads of a program may compute answers at
    the same time. The former number of threads is restored when no answer is being computed any more.
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
    """Lets any thread remove the limit, as the last answer may end in another thread than the first one."""
    from threadpoolctl import OpenBLASController

    OpenBLASController.clear_controlling_thread()
