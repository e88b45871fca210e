"""Appends feedback to a journal, each event only once; confirms an event when it is on disk.

Several processes may append to one journal. A lock on the journal keeps the lines of two processes from
mixing.
"""

from __future__ import annotations

import os
import secrets
from collections import OrderedDict
from collections.abc import Sequence

from engine.artifact.files import flush
from engine.feedback.events import Event
from engine.feedback.journal import Journal, Position, Tail

SEGMENT_SIZE = 64 << 20
"""The size of a segment (file of the journal), in bytes, from which on further events go into a new
segment."""
REMEMBERED = 100_000
"""The ids of at least about this many latest events are remembered, to recognise an event that a client sends
again."""
_BYTES_OF_AN_EVENT = 200
"""The approximate number of bytes in one line of the journal."""


class RepeatedIdError(Exception):
    """Two events have the same id, but different contents."""

    def __init__(self, event: Event) -> None:
        super().__init__(
            f"The id {event.id!r} belongs to other feedback already; give every review an id of its own."
        )


class JournalWriter:
    """Appends the events that one process receives to a journal, to which other processes append as well."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._tail: Tail | None = None
        self._known: OrderedDict[str, tuple[object, ...]] = OrderedDict()
        self._failed = False

    def prepare(self) -> None:
        """Reads the ids of the latest events in advance, so that the first call of `write` is fast.

        Raises:
            ArtifactError: the journal cannot be read.
        """
        self._learn()

    def write(self, requests: Sequence[Sequence[Event]]) -> list[list[bool] | RepeatedIdError]:
        """Appends the events of several requests to the journal; returns when the events are on disk.

        An event with the id of an earlier event is not appended again.

        Returns:
            For each request, a list that says of each event whether the event was appended; or a
            RepeatedIdError if none of the request's events was appended.

        Raises:
            ArtifactError: the journal cannot be written to. After an ArtifactError, some events may be in the
                journal; a client can send all events again with the same ids, since no id is appended twice.
        """
        try:
            self._journal.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise self._journal.fault("written", error) from error
        with self._journal.locked():
            self._learn()
            outcomes: list[list[bool] | RepeatedIdError] = []
            lines: list[bytes] = []
            for events in requests:
                try:
                    new = self._new_of(events)
                except RepeatedIdError as error:
                    outcomes.append(error)
                    continue
                lines += [event.to_line() for event, is_new in zip(events, new, strict=True) if is_new]
                outcomes.append(new)
            if lines:
                try:
                    self._append(b"".join(lines))
                except BaseException:
                    self._forget()
                    raise
        return outcomes

    def _new_of(self, events: Sequence[Event]) -> list[bool]:
        """Tells for each event whether the journal lacks the event, and remembers the ids of the events.

        Raises:
            RepeatedIdError: an event has the id of an earlier event, but another content.
        """
        new: list[bool] = []
        learned: dict[str, tuple[object, ...]] = {}
        for event in events:
            known = learned.get(event.id, self._known.get(event.id))
            if known is not None and known != event.content:
                raise RepeatedIdError(event)
            new.append(known is None)
            learned[event.id] = event.content
        self._known.update(learned)
        return new

    def _learn(self) -> None:
        """Reads the ids of the events that were appended to the journal since the last call.

        The first call reads the ids of about `REMEMBERED` events at the end of the journal.
        """
        if self._tail is None:
            self._tail = Tail(self._journal, self._first_remembered())
        for event in self._tail.read().events:
            self._known[event.id] = event.content
        while len(self._known) > 2 * REMEMBERED:
            self._known.popitem(last=False)

    def _first_remembered(self) -> Position | None:
        """Returns a position after which the journal holds about `REMEMBERED` events; None for the start."""
        left = REMEMBERED * _BYTES_OF_AN_EVENT
        for segment in reversed(self._journal.segments()):
            if segment.size >= left:
                return segment._replace(size=segment.size - left)
            left -= segment.size
        return None

    def _append(self, data: bytes) -> None:
        """Appends lines to the journal and waits until they are on disk; the caller must hold the lock.

        Raises:
            ArtifactError: the journal cannot be written to.
        """
        segments = self._journal.segments()
        last = segments[-1] if segments else Position(secrets.token_hex(4), 0, SEGMENT_SIZE)
        if last.size >= SEGMENT_SIZE or self._failed:
            last = last._replace(number=last.number + 1, size=0)
        path = self._journal.path_of(last.token, last.number)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                if last.size and os.pread(handle, 1, last.size - 1) != b"\n":
                    # A killed process left a line without a line break, so the line break is added first.
                    data = b"\n" + data
                # If writing fails, the end of the segment is unknown, so the next call begins a new segment.
                self._failed = True
                while data:
                    data = data[os.write(handle, data) :]
                os.fsync(handle)
                self._failed = False
            finally:
                os.close(handle)
            if not last.size:
                for folder in (self._journal.folder, self._journal.folder.parent):
                    flush(folder)
        except OSError as error:
            raise self._journal.fault("written", error) from error

    def _forget(self) -> None:
        """Forgets all ids after a failure, so that the next call reads the ids from the journal once more."""
        self._known.clear()
        self._tail = None
