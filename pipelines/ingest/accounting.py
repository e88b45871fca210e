"""Counts every row that was read as exactly one of kept, duplicate, filtered or rejected."""

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
    """Holds the number of rows read from one review file."""

    path: str
    """The path of the review file, as the user gave the path."""
    rows: int
    """Rows read, without blank lines, the header line, and the incomplete last line of a truncated file."""
    truncated: bool = False
    """Whether the gzip data of the review file ended too early."""


@dataclass(frozen=True, kw_only=True)
class MetadataAccount:
    """Counts the lines of all metadata files together."""

    lines_read: int = 0
    """The number of lines in the metadata files, without blank lines."""
    movies_described: int = 0
    """The number of different movies that the metadata files describe."""
    lines_repeated: int = 0
    """The number of metadata lines about a movie that an earlier line already describes."""
    lines_rejected: int = 0
    """The number of metadata lines that could not be used."""
    reviewed_without_metadata: int = 0
    """The number of movies that have a usable review but no metadata line, and are kept all the same."""
    unreadable_fields: Mapping[str, int] = field(default_factory=dict)
    """Maps title, price and rank to the number of lines in which the field is unreadable and becomes null."""
    truncated: tuple[str, ...] = ()
    """The paths of the metadata files whose gzip data ended too early."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the counts as a dictionary of values that JSON can hold."""
        return vars(self) | {
            "unreadable_fields": dict(self.unreadable_fields),
            "truncated": list(self.truncated),
        }


@dataclass(frozen=True, kw_only=True)
class Accounting:
    """Counts every row of the review files as kept, duplicate, filtered or rejected.

    In step 1 of ingestion, a row that cannot be used is rejected. In step 2, the filters `since-until` (a
    range of days) and `unverified` drop single rows. In step 3, every review of a movie by a reviewer except
    the latest is dropped as a duplicate. In step 4, the filter `where` drops the rows for which the user's
    SQL condition is not true. In step 5, the filter `k-core` drops reviewers and movies that have too few
    reviews.

    Raises:
        DataError: the numbers of kept, duplicate, filtered and rejected rows do not add up to the rows read.
    """

    read: int
    """The number of rows in the review files."""
    kept: int
    """The number of rows in the table `reviews`."""
    duplicate: int
    """The number of reviews whose reviewer wrote a later review of the same movie."""
    filtered_by: Mapping[str, int] = field(default_factory=dict)
    """Maps each filter (since-until, unverified, where, k-core) to the number of rows it dropped."""
    rejected_by: Mapping[str, int] = field(default_factory=dict)
    """Maps each reason for rejection to the number of rows rejected for that reason."""
    times_lost_by: Mapping[str, int] = field(default_factory=dict)
    """Maps each reason for which a time is dropped to the number of rows that are not rejected and whose time
    is dropped for that reason."""
    files: Sequence[FileAccount] = ()
    """The counts of each review file, in the order in which the user gave the files."""
    metadata: MetadataAccount = field(default_factory=MetadataAccount)
    """The counts of the metadata files."""

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
        """Returns the number of rows that all filters together dropped."""
        return sum(self.filtered_by.values())

    @property
    def rejected(self) -> int:
        """Returns the number of rows that were rejected as unusable."""
        return sum(self.rejected_by.values())

    @property
    def times_lost(self) -> int:
        """Returns the number of rows that are not rejected and whose time cannot be used."""
        return sum(self.times_lost_by.values())

    @property
    def truncated(self) -> tuple[str, ...]:
        """Returns the paths of the review and metadata files whose gzip data ended too early."""
        return (*(file.path for file in self.files if file.truncated), *self.metadata.truncated)

    def to_dict(self) -> dict[str, Any]:
        """Returns the counts as a dictionary that JSON can hold, for reports and the manifest of an index."""
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
        """Returns one line: `5,000 rows read = 4,959 kept + 41 duplicate + 0 filtered + 0 rejected`."""
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
    """Writes the rows that `ingest` rejected to a Parquet file: kind, file, line, reason and text per row.

    The rows of `before`, an older file of rejected rows, are added without repeating a row. Returns the
    number of rows in the new file. The new file is written completely or not at all.
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
