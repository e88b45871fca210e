"""Reads reviews from journals of feedback, in addition to review files or instead of review files.

All lines of a journal have one format, so the options about formats and columns of review files do not apply
to journals.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.artifact.layout import HIDDEN_FILE, JOURNAL_SECTION
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.feedback.events import DISLIKE, RATING, Event, Scale
from engine.feedback.hidden import HiddenMovies
from engine.feedback.journal import Journal, Position, journal_of, of_section, to_section
from pipelines.inputs.spool import Input
from pipelines.reading.sources import Source

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class JournalPart:
    """Holds a file with the reviews that were read from a journal, and counts of the journal's lines.

    Attributes:
        source: the file with the reviews; None if no review was read from the journal.
        position: the position up to which the journal was read; None if the journal is empty.
        hidden: the movies that reviewers have hidden up to `position`.
        counts: the number of lines of each sort: "reviews" (read as reviews), "hidden" (movies that a
            reviewer hides or shows again), "torn" (incomplete or damaged lines) and "off_scale" (ratings that
            the rating scale of the index does not have).
    """

    source: Source | None
    position: Position | None
    hidden: HiddenMovies
    counts: Mapping[str, int]


def divided(inputs: Sequence[Input]) -> tuple[list[Input], list[Journal]]:
    """Divides the sources of reviews into journals, which are folders, and all other sources."""
    folders = [given for given in inputs if isinstance(given, Path) and given.is_dir()]
    journals = {path: Journal(path) for path in folders if Journal(path).is_there}
    return [given for given in inputs if given not in journals], list(journals.values())


def own_first(index: Path, given: Sequence[Journal]) -> list[Journal]:
    """Returns the given journals; the journal in the index directory, if there is one, comes first."""
    own = journal_of(index)
    others = [one for one in given if one.folder.absolute() != own.folder.absolute()]
    return [own, *others] if own.is_there else others


def read_journal(
    journal: Journal, folder: Path, *, before: Artifact | None = None, scale: Scale | None = None
) -> JournalPart:
    """Copies the reviews of a feedback journal to a file, which the caller must delete.

    Args:
        journal: the journal of feedback.
        folder: the folder in which the file of reviews is created.
        before: a build that already holds the beginning of the journal; reading starts where the build
            stopped, and movies that are hidden in the build stay hidden. If `before` is None, the whole
            journal is read.
        scale: the rating scale of the index. Reviews with ratings outside the rating scale are counted, but
            are not copied to the file of reviews. If `scale` is None, all reviews of the journal are copied.

    Raises:
        ArtifactError: the journal cannot be read.
    """
    hidden = HiddenMovies() if before is None else HiddenMovies.of_build(before)
    begin = None if before is None else of_section(before.manifest.get(JOURNAL_SECTION))
    end = journal.end()
    counts = Counter({"reviews": 0, "hidden": 0, "torn": 0, "off_scale": 0})
    with tempfile.NamedTemporaryFile(
        "w", encoding="ascii", prefix=".journal-", dir=folder, delete=False
    ) as file:
        for events, num_torn in journal.parts(begin, end) if end is not None else ():
            hidden.apply(events)
            counts["torn"] += num_torn
            for event in events:
                kind = _what_becomes_of(event, scale)
                counts[kind] += 1
                if kind == "reviews":
                    file.write(_line(counts["reviews"], event))
    source = None
    if counts["reviews"]:
        source = Source(path=journal.folder, file=Path(file.name), layout="journal")
    if counts.total():
        told = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items() if number)
        _log.info("Read from the journal %s: %s", journal.folder, told)
    return JournalPart(source=source, position=end, hidden=hidden, counts=dict(counts))


def _what_becomes_of(event: Event, scale: Scale | None) -> str:
    if not event.is_review:
        return "hidden"
    if scale is not None:
        is_off = scale.fault_of(event.rating) is not None if scale.is_rated else event.kind == DISLIKE
        return "off_scale" if is_off else "reviews"
    return "reviews"


def _line(number: int, event: Event) -> str:
    kind = None if event.kind == RATING else event.kind
    values = (number, event.reviewer_id, event.movie_id, event.rating, event.time, kind)
    return json.dumps(dict(zip(_COLUMNS, values, strict=True))) + "\n"


_COLUMNS = ("line", "reviewer_id", "movie_id", "rating", "time", "kind")


def counts_of(parts: Sequence[JournalPart]) -> dict[str, int]:
    """Adds up the counts of lines that were read from several journals."""
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part.counts)
    return dict(total)


def write_hidden(parts: Sequence[JournalPart], writer: ArtifactWriter) -> None:
    """Writes the movies that each reviewer has hidden, as the journal of `parts[0]` says, into a build.

    Each item of `parts` holds what was read from one journal of feedback; only `parts[0]` is used. If the
    index directory has a journal, the caller must pass what was read from that journal as `parts[0]` (see
    `own_first`).
    """
    if parts and parts[0].hidden:
        path = writer.path_for(HIDDEN_FILE)
        path.write_text(parts[0].hidden.to_json(), encoding="utf-8")


def write_position(parts: Sequence[JournalPart], writer: ArtifactWriter) -> None:
    """Writes to a build's manifest the position up to which the feedback journal of `parts[0]` was read.

    Each item of `parts` holds what was read from one journal of feedback; only `parts[0]` is used. If the
    index directory has a journal, the caller must pass what was read from that journal as `parts[0]` (see
    `own_first`).
    """
    if parts and parts[0].position is not None:
        writer.add_section(JOURNAL_SECTION, to_section(parts[0].position, parts[0].counts))
