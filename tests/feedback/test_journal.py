"""The journal keeps each event once, whatever kills its writers, and is read from any position."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from engine.errors import ArtifactError
from engine.feedback import writing
from engine.feedback.events import Event
from engine.feedback.journal import Journal, Position, Tail, of_section, to_section
from engine.feedback.writing import JournalWriter, RepeatedIdError


def event(name: str, movie: str = "M1", **more: object) -> Event:
    values = {"kind": "rating", "reviewer_id": "R1", "rating": 4.0, "time": 100} | more
    return Event(id=name, movie_id=movie, **values)  # type: ignore[arg-type]


def ids(journal: Journal, begin: Position | None = None, end: Position | None = None) -> list[str]:
    return [one.id for found in journal.parts(begin, end) for one in found.events]


def torn(journal: Journal) -> int:
    return sum(found.num_torn for found in journal.parts())


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


def newest(journal: Journal) -> Path:
    last = journal.segments()[-1]
    return journal.path_of(last.token, last.number)


def test_what_is_written_is_read_back(journal: Journal) -> None:
    events = [event("a"), event("b", rating=None, kind="click"), event("c", recommendation_id="ü" * 3)]
    assert journal.end() is None
    assert JournalWriter(journal).write([events[:2], events[2:]]) == [[True, True], [True]]
    assert [one for found in journal.parts() for one in found.events] == events


def test_a_repeated_event_is_written_once_also_by_another_process(journal: Journal) -> None:
    first, second = JournalWriter(journal), JournalWriter(journal)
    assert first.write([[event("a")], [event("a")]]) == [[True], [False]]
    assert second.write([[event("a"), event("b")]]) == [[False, True]]
    assert first.write([[event("b"), event("c")]]) == [[False, True]]
    assert ids(journal) == ["a", "b", "c"]


def test_an_id_that_says_something_else_refuses_the_request_alone(journal: Journal) -> None:
    writer = JournalWriter(journal)
    refused, taken = writer.write([[event("a"), event("a", "M2")], [event("b")]])
    assert isinstance(refused, RepeatedIdError)
    assert taken == [True]
    assert ids(journal) == ["b"]


def test_a_torn_line_is_counted_and_no_line_behind_it_is_lost(journal: Journal) -> None:
    JournalWriter(journal).write([[event("a")]])
    tail = Tail(journal)
    assert len(tail.read().events) == 1
    with newest(journal).open("ab") as file:
        file.write(event("b").to_line()[:30])
    assert tail.read() == ([], 0)
    assert (ids(journal), torn(journal)) == (["a"], 1)
    behind = journal.end()
    JournalWriter(journal).write([[event("c")]])
    found = tail.read()
    assert ([one.id for one in found.events], found.num_torn) == (["c"], 1)
    assert (ids(journal), ids(journal, behind), torn(journal)) == (["a", "c"], ["c"], 1)


@pytest.mark.parametrize(
    "line",
    [
        *(b"\0" * 40, b"[]", b"{}", b'{"id": "x"}', b"\xff", b"[" * 100_000),
        *(event("x", reviewer_id=None).to_line(), event("x", kind="like").to_line()),
        *(event("x").to_line().replace(b"4.0", wrong) for wrong in (b"NaN", b"true", b"9" * 400)),
        event("x", time=1 << 60).to_line(),
    ],
)
def test_a_line_that_is_no_event_is_skipped(journal: Journal, line: bytes) -> None:
    writer = JournalWriter(journal)
    writer.write([[event("a")]])
    with newest(journal).open("ab") as file:
        file.write(line.rstrip(b"\n") + b"\n")
    writer.write([[event("b")]])
    assert (ids(journal), torn(journal)) == (["a", "b"], 1)


def test_segments_follow_each_other(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "SEGMENT_SIZE", 300)
    writer, tail = JournalWriter(journal), Tail(journal)
    seen, ends = [], []
    for number in range(20):
        writer.write([[event(f"e{number}")]])
        seen += [one.id for one in tail.read().events]
        ends.append(journal.end())
    expected = [f"e{number}" for number in range(20)]
    assert seen == ids(journal) == expected
    assert len(journal.segments()) == 5
    for number, end in enumerate(ends):
        assert ids(journal, end) == expected[number + 1 :]
        assert ids(journal, None, end) == expected[: number + 1]
        assert [one.id for one in Tail(journal, end).read().events] == expected[number + 1 :]


def test_a_position_in_another_or_a_shorter_journal_is_the_beginning(journal: Journal) -> None:
    JournalWriter(journal).write([[event("a")]])
    end = journal.end()
    assert end is not None
    assert of_section(to_section(end, {})) == end
    assert ids(journal, end._replace(token="00000000")) == ["a"]
    assert ids(journal, end._replace(size=end.size + 100)) == ["a"]
    assert ids(journal, end._replace(number=0)) == ["a"]


def test_two_journals_in_one_folder_are_refused(journal: Journal) -> None:
    JournalWriter(journal).write([[event("a")]])
    (journal.folder / "00000000-000001.jsonl").write_bytes(b"")
    with pytest.raises(ArtifactError, match="the files of two journals"):
        ids(journal)


def test_a_journal_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("a file")
    with pytest.raises(ArtifactError, match="cannot be written"):
        JournalWriter(Journal(tmp_path / "journal")).write([[event("a")]])


def test_after_a_failed_write_the_events_can_be_sent_again(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(journal)
    writer.write([[event("a")]])
    flush = os.fsync

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArtifactError, match="no space left"):
        writer.write([[event("b"), event("c")]])
    monkeypatch.setattr(os, "fsync", flush)
    assert writer.write([[event("b"), event("c"), event("d")]]) == [[False, False, True]]
    assert ids(journal) == ["a", "b", "c", "d"]


def test_events_that_found_no_place_can_be_sent_again(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(journal)
    writer.write([[event("a")]])
    with monkeypatch.context() as patch:
        patch.setattr(writer, "_append", _raise)
        with pytest.raises(ArtifactError, match="too many open files"):
            writer.write([[event("b")]])
    assert writer.write([[event("b")]]) == [[True]]
    assert ids(journal) == ["a", "b"]


def _raise(_: bytes) -> None:
    raise ArtifactError("too many open files")


def _write_on(folder: str, name: str, acknowledged: str) -> None:
    writer = JournalWriter(Journal(Path(folder)))
    with Path(acknowledged).open("w") as file:
        for number in range(100_000):
            writer.write([[event(f"{name}-{number}-{part}") for part in range(3)]])
            file.write(f"{number}\n")
            file.flush()


def test_killed_writers_leave_every_acknowledged_event_once(journal: Journal, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    expected: list[str] = []
    for round_number in range(3):
        names = [f"{round_number}{letter}" for letter in "ab"]
        writers = [
            context.Process(target=_write_on, args=(str(journal.folder), name, str(tmp_path / name)))
            for name in names
        ]
        for process in writers:
            process.start()
        time.sleep(0.2 + 0.07 * round_number)
        for process in writers:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join()
        for name in names:
            lines = (tmp_path / name).read_text().split("\n")[:-1] if (tmp_path / name).exists() else []
            expected += [f"{name}-{line}-{part}" for line in lines for part in range(3)]
    written = ids(journal)
    assert len(written) == len(set(written))
    assert expected
    assert set(expected) <= set(written)
