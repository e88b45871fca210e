"""Answers questions one after another in a separate thread, so that requests for metrics never wait."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from engine.threads import one_thread

_Found = TypeVar("_Found")
_SECONDS_TO_COLLECT = 0.003
"""While more questions wait, finished answers are collected for this many seconds before they are delivered
together."""


class BusyError(Exception):
    """The largest allowed number of questions was waiting when another question was asked."""


class _Waiting(NamedTuple):
    """Holds a question that is waiting or running, and the future that will receive the answer."""

    question: Callable[[], Any]
    future: asyncio.Future[Any]


class EngineThread:
    """Runs questions in one thread, in the order in which they are asked.

    A second thread would make each answer slower without answering more questions per second, because Python
    lets only one thread run at a time.

    Args:
        max_waiting: the largest number of questions that may be waiting or running; `ask` raises BusyError
            for a further question.
        timeout: the number of seconds after which `ask` stops waiting for an answer and raises TimeoutError.
    """

    def __init__(self, *, max_waiting: int, timeout: float) -> None:
        self._max_waiting = max_waiting
        self._timeout = timeout
        self._num_waiting = 0
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._is_woken = False
        self._answered: deque[tuple[_Waiting, Any, BaseException | None]] = deque()
        # The limit to one thread is set once for the whole life of the engine thread, which is faster than
        # setting a limit for each question.
        self._thread = threading.Thread(target=one_thread()(self._run), name="engine", daemon=True)
        self._thread.start()

    @property
    def num_waiting(self) -> int:
        """Returns the number of questions that are waiting or running."""
        return self._num_waiting

    @property
    def is_full(self) -> bool:
        """Tells whether the largest allowed number of questions is waiting or running."""
        return self._num_waiting >= self._max_waiting

    async def ask(self, question: Callable[[], _Found]) -> _Found:
        """Runs a question in the engine thread; returns its result, or raises the error that it raised.

        Raises:
            BusyError: `max_waiting` questions are waiting or running already.
            TimeoutError: no answer came within the timeout. After a timeout, a question that is still waiting
                is never run.
        """
        if self.is_full:
            raise BusyError
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Found] = loop.create_future()
        timer = loop.call_later(self._timeout, _give_up, future)
        self._num_waiting += 1
        self._queue.put(_Waiting(question, future))
        try:
            return await future
        finally:
            timer.cancel()

    def _run(self) -> None:
        """Answers questions until `close` is called; skips questions whose answers nobody waits for."""
        while (waiting := self._queue.get()) is not None:
            found, error = None, None
            if not waiting.future.done():
                try:
                    found = waiting.question()
                except BaseException as raised:
                    error = raised
            self._answered.append((waiting, found, error))
            # Waking the event loop for each answer would take as long as finding similar movies, so answers
            # are delivered together.
            loop, is_idle = waiting.future.get_loop(), self._queue.empty()
            if is_idle or not self._is_woken:
                self._is_woken = True
                try:
                    if is_idle:
                        loop.call_soon_threadsafe(self._deliver)
                    else:
                        loop.call_soon_threadsafe(loop.call_later, _SECONDS_TO_COLLECT, self._deliver)
                except RuntimeError:  # RuntimeError means that the event loop is closed.
                    return

    def _deliver(self) -> None:
        """Gives answers to the futures that wait for them; runs in the thread of the event loop."""
        self._is_woken = False  # An answer that is appended after this line wakes the event loop again.
        while self._answered:
            waiting, found, error = self._answered.popleft()
            self._num_waiting -= 1
            if waiting.future.done():
                continue
            if error is None:
                waiting.future.set_result(found)
            else:
                waiting.future.set_exception(error)

    def close(self) -> None:
        """Cancels all waiting questions, and ends the thread when the running question is answered."""
        with suppress(Empty):
            while True:
                if (waiting := self._queue.get_nowait()) is not None:
                    waiting.future.cancel()
        self._queue.put(None)
        self._thread.join()


def _give_up(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())
