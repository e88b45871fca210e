"""Writes the feedback of many requests to a journal with one flush to disk, in a separate thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from engine.feedback.events import Event
from engine.feedback.journal import Journal
from engine.feedback.writing import JournalWriter, RepeatedIdError
from engine.service.live.engine_thread import BusyError

Outcome = list[bool] | RepeatedIdError


class Committer:
    """Appends events to one journal; each request waits until its events are on disk.

    A flush to disk takes milliseconds, so the events of all requests that come during a flush are written
    together by the next flush.

    Args:
        journal: the journal to which events are appended.
        max_waiting: the largest number of requests that wait; with more requests, `commit` raises BusyError.
        timeout: the number of seconds after which `commit` stops waiting and raises TimeoutError.
    """

    def __init__(self, journal: Journal, *, max_waiting: int, timeout: float) -> None:
        self._writer = JournalWriter(journal)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._pool.submit(self._writer.prepare)
        self._max_waiting = max_waiting
        self._timeout = timeout
        self._waiting: list[tuple[Sequence[Event], asyncio.Future[Outcome]]] = []
        self._work: asyncio.Task[None] | None = None

    async def commit(self, events: Sequence[Event]) -> list[bool]:
        """Appends the events that are new; returns, for each event, whether the event is new.

        Raises:
            RepeatedIdError: an event has the id of an earlier event, but another content; then none of the
                events is appended.
            BusyError: too many requests are waiting.
            TimeoutError: the disk is too slow; the events may be appended nevertheless.
            ArtifactError: the journal cannot be written.
        """
        if len(self._waiting) >= self._max_waiting:
            raise BusyError
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((events, future))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._write_all())
        outcome = await asyncio.wait_for(future, self._timeout)
        if isinstance(outcome, RepeatedIdError):
            raise outcome
        return outcome

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                requests = [events for events, _ in batch]
                outcomes = await loop.run_in_executor(self._pool, self._writer.write, requests)
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if not future.done():
                    future.set_result(outcome)

    def close(self) -> None:
        """Ends the thread after the current flush to disk."""
        self._pool.shutdown(wait=True)
