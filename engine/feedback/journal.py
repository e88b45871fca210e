"""Reads the journal of an index: files of feedback, to which processes only append lines.

    movie-index/journal/
    |- .lock                      held while somebody appends
    |- 3f9a01bc-000001.jsonl      the oldest segment; every segment has the token of the journal in its name
    `- 3f9a01bc-000002.jsonl      the newest segment, to which lines are appended

A line that a killed process left incomplete is counted and skipped. The module `engine/feedback/writing.py`
appends the lines of the journal.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from engine.artifact.layout import JOURNAL_FOLDER
from engine.errors import ArtifactError
from engine.feedback.events import Event

_SEGMENT = re.compile(r"([0-9a-f]{8})-(\d{6})\.jsonl")
_LOCK = ".lock"
_BLOCK = 1 << 20
"""The number of bytes of the journal that are read in one step."""


class Position(NamedTuple):
    """Holds a position in a journal: the number of a segment (file), and a number of bytes in the segment."""

    token: str
    number: int
    size: int


class Found(NamedTuple):
    """Holds events of a journal, and the number of incomplete lines among the events."""

    events: list[Event]
    num_torn: int


def journal_of(index: Path) -> Journal:
    """Returns the journal in an index directory; the journal need not exist yet."""
    return Journal(index / JOURNAL_FOLDER)


class Journal:
    """Reads and locks the journal in a folder; the folder need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def is_there(self) -> bool:
        """Tells whether the folder of the journal holds a segment (a file of the journal)."""
        return bool(self.segments())

    def segments(self) -> list[Position]:
        """Returns the end position of each segment (file of the journal), the oldest segment first.

        Raises:
            ArtifactError: the folder cannot be read; the folder holds segments of two journals.
        """
        try:
            found = [(_SEGMENT.fullmatch(entry.name), entry) for entry in os.scandir(self.folder)]
            ends = sorted(
                Position(match[1], int(match[2]), entry.stat().st_size) for match, entry in found if match
            )
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self.fault("read", error) from error
        if len({end.token for end in ends}) > 1:
            raise ArtifactError(
                f"The folder {self.folder} holds the files of two journals; keep the files whose names begin "
                "alike, and move the other files away"
            )
        return ends

    def path_of(self, token: str, number: int) -> Path:
        """Returns the path of a segment (file of the journal)."""
        return self.folder / f"{token}-{number:06}.jsonl"

    def end(self) -> Position | None:
        """Waits until the whole journal is on disk; returns the end position, or None for an empty journal.

        Raises:
            ArtifactError: the journal cannot be read.
        """
        if not self.is_there:
            return None
        with self.locked():
            last = self.segments()[-1]
            try:
                with self.path_of(last.token, last.number).open("rb") as file:
                    os.fsync(file.fileno())
            except OSError as error:
                raise self.fault("read", error) from error
            return last

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from appending to the journal during a `with` statement.

        Raises:
            ArtifactError: the lock file cannot be opened or locked.
        """
        try:
            handle = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
            except BaseException:
                os.close(handle)
                raise
        except OSError as error:
            raise self.fault("locked", error) from error
        try:
            yield
        finally:
            os.close(handle)

    def parts(self, begin: Position | None = None, end: Position | None = None) -> Iterator[Found]:
        """Yields the events between two positions of the journal, in parts of about a megabyte.

        If `begin` is None or belongs to another journal, reading starts at the beginning of the journal. If
        `end` is None, reading ends at the end of the journal.
        """
        tail = Tail(self, begin)
        for segment in self.segments():
            if end is not None and segment[:2] > end[:2]:
                return
            limit = end.size if end is not None and segment[:2] == end[:2] else segment.size
            if tail.position is None or segment[:2] >= tail.position[:2]:
                yield from tail.read_segment(segment, limit)

    def fault(self, what: str, error: OSError) -> ArtifactError:
        """Makes the error for an `OSError`; `what` is "read", "locked" or "written"."""
        reason = (error.strerror or str(error)).lower()
        return ArtifactError(f"The journal {self.folder} cannot be {what}: {reason}")


class Tail:
    """Reads a journal to its end; a later reading continues where the reading before ended.

    Args:
        journal: the journal to read.
        begin: the position at which reading begins; reading begins at the start of the journal if `begin` is
            None or belongs to another journal.
    """

    def __init__(self, journal: Journal, begin: Position | None = None) -> None:
        self._journal = journal
        self._file: int | None = None
        self.position = None if begin is None else self._nearest(begin)

    def _nearest(self, begin: Position) -> Position | None:
        """Returns `begin` if the journal has this position; otherwise a position nearby from which to read.

        The position `begin` names a segment (file of the journal) and a number of bytes in the segment. If
        the segment that `begin` names has fewer bytes than `begin` says, the segment was replaced, and the
        method returns the start of the segment. If the segment that `begin` names is missing, the method
        returns the start of the next segment. The method returns None if the segment that `begin` names is
        missing and no later segment exists, or if `begin` belongs to another journal. None tells the caller
        to read from the start of the journal.
        """
        for segment in self._journal.segments():
            if segment.token != begin.token:
                return None
            if segment.number == begin.number and segment.size >= begin.size:
                return begin
            if segment.number >= begin.number:
                return segment._replace(size=0)
        return None

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Closes the open segment (file of the journal)."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def read(self) -> Found:
        """Returns all events that were appended to the journal since the last call of `read`.

        Raises:
            ArtifactError: the journal cannot be read.
        """
        if self.position is None:
            first = self._journal.segments()[:1]
            if not first:
                return Found([], 0)
            self.position = first[0]._replace(size=0)
        events: list[Event] = []
        num_torn = 0
        while True:
            # The next segment is looked for before this segment is read, because a segment does not grow any
            # more once the next segment exists.
            successor = self.position._replace(number=self.position.number + 1, size=0)
            is_whole = self._journal.path_of(*successor[:2]).exists()
            for found in self._lines(None, is_whole=is_whole):
                events += found.events
                num_torn += found.num_torn
            if not is_whole:
                return Found(events, num_torn)
            self.close()
            self.position = successor

    def read_segment(self, segment: Position, limit: int) -> Iterator[Found]:
        """Yields the events of one segment up to the byte `limit`; skips events that were read already."""
        self.close()
        if self.position is None or self.position[:2] != segment[:2]:
            self.position = segment._replace(size=0)
        yield from self._lines(limit, is_whole=True)

    def _lines(self, limit: int | None, *, is_whole: bool) -> Iterator[Found]:
        """Yields the unread events of the current segment (file of the journal), up to the byte `limit`.

        If `limit` is None, reading ends at the end of the segment. The caller sets `is_whole` to True if no
        process will append to the segment again; an incomplete last line is then counted and skipped. If
        `is_whole` is False, an incomplete last line is left for a later call.
        """
        assert self.position is not None
        rest = b""
        while data := self._bytes(len(rest), limit):
            whole, newline, rest = (rest + data).rpartition(b"\n")
            if newline:
                self.position = self.position._replace(size=self.position.size + len(whole) + 1)
                yield _found(whole)
        if rest and is_whole:
            self.position = self.position._replace(size=self.position.size + len(rest))
            yield Found([], 1)

    def _bytes(self, skipped: int, limit: int | None) -> bytes:
        assert self.position is not None
        begin = self.position.size + skipped
        size = _BLOCK if limit is None else min(_BLOCK, limit - begin)
        if size <= 0:
            return b""
        try:
            if self._file is None:
                path = self._journal.path_of(*self.position[:2])
                self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._file, size, begin)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise self._journal.fault("read", error) from error


def _found(lines: bytes) -> Found:
    events, num_torn = [], 0
    for line in lines.split(b"\n"):
        if line:
            event = Event.of_line(line)
            if event is None:
                num_torn += 1
            else:
                events.append(event)
    return Found(events, num_torn)


def to_section(position: Position, counts: Mapping[str, int]) -> dict[str, Any]:
    """Returns the manifest section that says up to which position a build contains a journal's events."""
    return {**position._asdict(), "lines": dict(counts)}


def of_section(section: Mapping[str, Any] | None) -> Position | None:
    """Reads a journal position from `section`; the build contains all events before this position.

    The argument `section` is the manifest section that `to_section` made. If the manifest has no section
    about the journal of feedback, `section` is None, and the function returns None.
    """
    if section is None:
        return None
    return Position(section["token"], section["number"], section["size"])
