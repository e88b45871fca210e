"""Counts every row of the review files as exactly one of kept, duplicate, filtered or rejected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import DataError
from pipelines.work.database import literal_path
from pipelines.work.output import write_table

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, kw_only=True)
class FileAccount:
    """Holds the number of rows that were read from one review file, and whether the file ended too early."""

    path: str
    """The path of the review file, as the user wrote the path."""
    rows: int
    """The number of rows in the review file. Blank lines, the header line, and the incomplete last line of a
    truncated file are not counted."""
    truncated: bool = False
    """Whether the gzip data of the review file ended too early."""


@dataclass(frozen=True, kw_only=True)
class MetadataAccount:
    """Counts the lines of all metadata files together."""

    lines_read: int = 0
    """The number of lines in the metadata files; blank lines are not counted."""
    movies_described: int = 0
    """The number of different movies that the metadata files describe."""
    lines_repeated: int = 0
    """The number of metadata lines about a movie that an earlier line already describes."""
    lines_rejected: int = 0
    """The number of metadata lines that could not be used."""
    reviewed_without_metadata: int = 0
    """The number of movies that have a usable review but no metadata line; movies without metadata are
    kept."""
    unreadable_fields: Mapping[str, int] = field(default_factory=dict)
    """For each of the fields title, price and rank: the number of metadata lines in which the field is
    unreadable, and becomes null."""
    truncated: tuple[str, ...] = ()
    """The paths of the metadata files whose gzip data ended too early."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the counts of the metadata files as a dictionary of JSON values."""
        return vars(self) | {
            "unreadable_fields": dict(self.unreadable_fields),
            "truncated": list(self.truncated),
        }


@dataclass(frozen=True, kw_only=True)
class Accounting:
    """Counts every row of the review files as kept, duplicate, filtered or rejected.

    Ingestion first rejects the rows that cannot be used. The filter `since-until` then drops rows outside a
    range of days, and the filter `unverified` then drops rows that are not marked as verified. If a reviewer
    still has several reviews of a movie, ingestion keeps the latest review, and drops the other reviews as
    duplicates. After duplicates are dropped, the filter `where` drops the rows for which the user's SQL
    condition is not true. The filter `k-core`, the last filter, drops reviewers and movies that have too few
    reviews.

    Raises:
        DataError: the sum of kept, duplicate, filtered and rejected rows is not the number of rows read.
    """

    read: int
    """The number of rows in the review files."""
    kept: int
    """The number of kept rows, which are the rows of the table `reviews`."""
    duplicate: int
    """The number of reviews whose reviewer wrote a later review of the same movie."""
    filtered_by: Mapping[str, int] = field(default_factory=dict)
    """The number of rows that each filter dropped; the keys are the names of the filters: since-until,
    unverified, where and k-core."""
    rejected_by: Mapping[str, int] = field(default_factory=dict)
    """The number of rejected rows for each reason of rejection; the keys are the reasons."""
    times_lost_by: Mapping[str, int] = field(default_factory=dict)
    """The number of rows whose review time was dropped as unusable, for each reason; the keys are reasons
    such as "cannot be read". Rows that were rejected are not in these numbers."""
    files: Sequence[FileAccount] = ()
    """The path and the number of rows of each review file, in the order in which the user named the review
    files."""
    metadata: MetadataAccount = field(default_factory=MetadataAccount)
    """The counts of lines of all metadata files together, such as the number of rejected lines."""

    def __post_init__(self) -> None:
        explained = self.kept + self.duplicate + self.filtered + self.rejected
        in_files = sum(file.rows for file in self.files)
        if explained != self.read or in_files != self.read:
            raise DataError(
                f"Rows went missing: {self.read:,} read, but {self.kept:,} kept + {self.duplicate:,} "
                f"duplicate + {self.filtered:,} filtered + {self.rejected:,} rejected = {explained:,}, "
                f"and the files hold {in_files:,}; please report this."
            )

    @property
    def filtered(self) -> int:
        """Returns the number of rows that the filters dropped, all filters added up."""
        return sum(self.filtered_by.values())

    @property
    def rejected(self) -> int:
        """Returns the number of all rejected rows, which cannot be used."""
        return sum(self.rejected_by.values())

    @property
    def times_lost(self) -> int:
        """Returns the number of rows, without rejected rows, whose review time was dropped as unusable."""
        return sum(self.times_lost_by.values())

    @property
    def truncated(self) -> tuple[str, ...]:
        """Returns the paths of the review and metadata files whose gzip data ended too early."""
        return (*(file.path for file in self.files if file.truncated), *self.metadata.truncated)

    def to_dict(self) -> dict[str, Any]:
        """Returns all counts as a dictionary of JSON values, for reports and for the manifest of an index."""
        return {
            "read": self.read,
            "kept": self.kept,
            "duplicate": self.duplicate,
            "filtered": self.filtered,
            "rejected": self.rejected,
            "filtered_by": dict(self.filtered_by),
            "rejected_by": dict(self.rejected_by),
            "times_lost": self.times_lost,
            "times_lost_by": dict(self.times_lost_by),
            "files": [dict(vars(file)) for file in self.files],
            "metadata": self.metadata.to_dict(),
            "truncated": list(self.truncated),
        }

    def __str__(self) -> str:
        """Returns a line such as `5,000 rows read = 4,959 kept + 41 duplicate + 0 filtered + 0 rejected`."""
        parts = [
            f"{self.read:,} rows read = {self.kept:,} kept",
            f"{self.duplicate:,} duplicate",
            f"{self.filtered:,} filtered{_reasons(self.filtered_by)}",
            f"{self.rejected:,} rejected{_reasons(self.rejected_by)}",
        ]
        times = (
            f"; {self.times_lost:,} without their time{_reasons(self.times_lost_by)}"
            if self.times_lost
            else ""
        )
        cut = f"; cut off early: {', '.join(self.truncated)}" if self.truncated else ""
        return " + ".join(parts) + times + cut


def _reasons(counts: Mapping[str, int]) -> str:
    named = ", ".join(f"{reason} {count:,}" for reason, count in counts.items() if count)
    return f" ({named})" if named else ""


def write_rejected(database: duckdb.DuckDBPyConnection, path: Path, *, before: Path | None = None) -> int:
    """Writes the rows that `ingest` rejected to a Parquet file: the kind, file, line, reason and text.

    The rejected rows of an older file `before` are added to the new file, but no row is written twice.
    Returns the number of rows in the new file. The new file is written completely or not at all.
    """
    rows = database.sql(
        "select 'review' as kind, * from rejected union all select 'metadata', * from rejected_metadata "
        "order by kind desc, file, line"
    )
    if before is not None:
        rows = (
            database.read_parquet(literal_path(before)).union(rows).distinct().order("kind desc, file, line")
        )
    write_table(rows, path)
    return int(rows.count("*").fetchall()[0][0])
