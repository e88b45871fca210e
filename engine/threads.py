"""Limits the threads of NumPy's matrix products while a question is answered.

The matrix products of one answer are small. More threads would not speed such products up, but threads that
wait for each other in a busy process or on a busy machine take many times the processor time.
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
    """Limits matrix products of the process to one thread from the first answer to the last answer.

    While another thread of the program holds a limit of threadpoolctl, nothing changes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_answers = 0
        self._limited: Any = None

    def begin(self) -> None:
        """Sets the limit if no other answer has set it."""
        with self._lock:
            if self._num_answers == 0:
                self._limited = _controller().limit(limits=1)
                _let_other_threads_restore()
            self._num_answers += 1

    def end(self) -> None:
        """Restores the former number of threads if no other answer is under way."""
        with self._lock:
            self._num_answers -= 1
            if self._num_answers == 0:
                self._limited.restore_original_limits()
                _let_other_threads_restore()


_limit = _Limit()


@contextmanager
def one_thread() -> Iterator[None]:
    """Runs NumPy's matrix products in one thread within a `with` statement or a decorated function.

    The limit holds for the whole process. Several threads of a program may answer at once; the former number
    of threads is restored when the last of several answers is complete.
    """
    _limit.begin()
    try:
        yield
    finally:
        _limit.end()


@cache
def _controller() -> ThreadpoolController:
    """Finds the libraries of matrix products that the process has loaded."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def _let_other_threads_restore() -> None:
    """Lets any thread change the limit, since the answer that ends last may be that of another thread."""
    from threadpoolctl import OpenBLASController

    OpenBLASController.clear_controlling_thread()
