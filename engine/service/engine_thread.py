"""Answers questions one after another in a separate thread, so that health and metrics never wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Found = TypeVar("_Found")


class BusyError(Exception):
    """A question was asked while too many other questions were waiting already."""


class EngineThread:
    """Runs questions in one thread, in the order in which the questions come.

    A second thread would not answer more questions per second, and would make each answer slower, because
    Python lets only one thread run at a time for most of a question.

    Args:
        max_waiting: the largest number of questions that wait or run; `ask` raises BusyError beyond it.
        timeout: the seconds after which `ask` stops waiting for an answer and raises TimeoutError.
    """

    def __init__(self, *, max_waiting: int, timeout: float) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._max_waiting = max_waiting
        self._timeout = timeout
        self._num_waiting = 0

    @property
    def num_waiting(self) -> int:
        """Returns the number of questions that wait or run."""
        return self._num_waiting

    @property
    def is_full(self) -> bool:
        """Tells whether the largest allowed number of questions is waiting."""
        return self._num_waiting >= self._max_waiting

    async def ask(self, question: Callable[[], _Found]) -> _Found:
        """Runs a question in the thread; returns or raises what the question returns or raises.

        Raises:
            BusyError: `max_waiting` questions wait already.
            TimeoutError: no answer came in time. A question that has not begun is then dropped.
        """
        if self.is_full:
            raise BusyError
        self._num_waiting += 1
        running = self._pool.submit(question)
        loop = asyncio.get_running_loop()
        running.add_done_callback(lambda done: self._leave(loop, done))
        # Cancelling the wrapper also cancels a question that has not begun.
        return await asyncio.wait_for(asyncio.wrap_future(running), self._timeout)

    def _leave(self, loop: asyncio.AbstractEventLoop, _done: Future[_Found]) -> None:
        """Counts a finished question; runs in the event loop, so that only one thread changes the counter."""
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._count_one_less)

    def _count_one_less(self) -> None:
        self._num_waiting -= 1

    def close(self) -> None:
        """Drops all waiting questions, and ends the thread after the running question."""
        self._pool.shutdown(wait=True, cancel_futures=True)
