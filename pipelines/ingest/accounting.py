"""Accounts for every row that was read: kept, duplicate, filtered or rejected, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import DataError
from pipelines.reading.sources import Source
from pipelines.work.database import run
from pipelines.work.output import write_table

if TYPE_CHECKING:
    import duckdb


_EXPECTED = (
    "expected the fields reviewerID or user_id, asin or parent_asin, and overall or rating "
    "(Amazon's reviews of 2014, 2018 or 2023)"
)
_LENGTH_SHOWN = 100
"""Characters of a row that an error shows."""


@dataclass(frozen=True, kw_only=True)
class FileAccount:
    """Accounts for one review file."""

    path: str
    """The path as it was given."""
    rows: int
    """Rows read, without blank lines, the header, and the line in which a truncated file breaks off."""
    truncated: bool = False
    """Whether its gzip data ended too early."""


@dataclass(frozen=True, kw_only=True)
class MetadataAccount:
    """Accounts for all metadata files together."""

    lines_read: int = 0
    """Lines that are not blank."""
    movies_described: int = 0
    """Different movies that the lines describe."""
    lines_repeated: int = 0
    """Lines about a movie that an earlier line describes already."""
    lines_rejected: int = 0
    """Lines that could not be used."""
    reviewed_without_metadata: int = 0
    """Movies with a usable review that no line describes; they are kept."""
    unreadable_fields: Mapping[str, int] = field(default_factory=dict)
    """Lines about reviewed movies whose title, price or rank cannot be read and becomes null, by field."""
    truncated: tuple[str, ...] = ()
    """The files whose gzip data ended too early."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the account as plain values."""
        return vars(self) | {
            "unreadable_fields": dict(self.unreadable_fields),
            "truncated": list(self.truncated),
        }


@dataclass(frozen=True, kw_only=True)
class Accounting:
    """Accounts for every row, in the order in which the steps act.

    1. A row that cannot be used is rejected.
    2. `since-until` and `unverified` filter the rows that remain.
    3. All but a reviewer's latest review of a movie are duplicates.
    4. The condition (`where`) filters the rows that remain, and then the k-core does.

    Raises:
        DataError: the parts do not add up to the rows read.
    """

    read: int
    """Rows in the review files."""
    kept: int
    """Rows in the table `reviews`."""
    duplicate: int
    """Reviews of a movie by a reviewer who has a later review of the same movie."""
    filtered_by: Mapping[str, int] = field(default_factory=dict)
    """Rows that each filter dropped: since-until, unverified, where, k-core."""
    rejected_by: Mapping[str, int] = field(default_factory=dict)
    """Rows that could not be used, by reason."""
    files: Sequence[FileAccount] = ()
    """The review files, in the order given."""
    metadata: MetadataAccount = field(default_factory=MetadataAccount)
    """The metadata files."""

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
        """Returns the number of rows that a filter dropped."""
        return sum(self.filtered_by.values())

    @property
    def rejected(self) -> int:
        """Returns the number of rows that could not be used."""
        return sum(self.rejected_by.values())

    @property
    def truncated(self) -> tuple[str, ...]:
        """Returns the files, of reviews and of metadata, whose gzip data ended too early."""
        return (*(file.path for file in self.files if file.truncated), *self.metadata.truncated)

    def to_dict(self) -> dict[str, Any]:
        """Returns the account as plain values, for JSON and the manifest."""
        return {
            "read": self.read,
            "kept": self.kept,
            "duplicate": self.duplicate,
            "filtered": self.filtered,
            "rejected": self.rejected,
            "filtered_by": dict(self.filtered_by),
            "rejected_by": dict(self.rejected_by),
            "files": [dict(vars(file)) for file in self.files],
            "metadata": self.metadata.to_dict(),
            "truncated": list(self.truncated),
        }

    def __str__(self) -> str:
        """Says it in a line: `5,000 rows read = 4,959 kept + 41 duplicate + 0 filtered + 0 rejected`."""
        parts = [
            f"{self.read:,} rows read = {self.kept:,} kept",
            f"{self.duplicate:,} duplicate",
            f"{self.filtered:,} filtered{_reasons(self.filtered_by)}",
            f"{self.rejected:,} rejected{_reasons(self.rejected_by)}",
        ]
        cut = f"; cut off early: {', '.join(self.truncated)}" if self.truncated else ""
        return " + ".join(parts) + cut


def _reasons(counts: Mapping[str, int]) -> str:
    named = ", ".join(f"{reason} {count:,}" for reason, count in counts.items() if count)
    return f" ({named})" if named else ""


def write_rejected(database: duckdb.DuckDBPyConnection, path: Path, *, before: Path | None = None) -> int:
    """Writes the rows that `ingest` rejected to a Parquet ledger: kind, file, line, reason, text.

    The rows of an older ledger `before` are written too; a row in both is written once. Returns the number
    of rows in the ledger, which is written whole or not at all.
    """
    rows = database.sql(
        "select 'review' as kind, * from rejected union all select 'metadata', * from rejected_metadata "
        "order by kind desc, file, line"
    )
    if before is not None:
        rows = database.read_parquet(str(before)).union(rows).distinct().order("kind desc, file, line")
    write_table(rows, path)
    return int(rows.count("*").fetchall()[0][0])


def require_usable(database: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Checks that some row can be used.

    Raises:
        DataError: there is no row, or all rows are rejected; names the most common reason.
    """
    reasons = run(database, "staging/common_rejections").fetchall()
    if not reasons:
        raise DataError(f"No reviews in {_names(sources)}: nothing but a header or blank lines.")
    if any(reason is None for reason, *_ in reasons):
        return
    reason, count, file, line, row_text = reasons[0]
    total = sum(num_rows for _, num_rows, *_ in reasons)
    source = sources[file]
    found = _found_fields(row_text) if source.layout == "json" else ""
    raise DataError(
        f"None of the {total:,} rows of {_names(sources)} can be used: {count:,} of them because of "
        f"'{reason}', first in {source.path}, line {line:,}: {_shown(row_text)}{found}."
    )


def require_usable_metadata(database: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Checks that some line of the metadata can be used, if there are lines.

    Raises:
        DataError: all lines are rejected.
    """
    [(total, num_rejected)] = database.execute(
        "select count(*), count(reason) from metadata_lines"
    ).fetchall()
    if num_rejected < total or total == 0:
        return
    [(reason, line, row_text)] = database.execute(
        "select reason, line, row_text from metadata_lines order by file, line limit 1"
    ).fetchall()
    raise DataError(
        f"None of the {total:,} lines of {_names(sources)} describes a movie; '{reason}' in line {line:,}: "
        f"{_shown(row_text)}; expected Amazon's metadata (asin or parent_asin), MovieLens' movies or a table."
    )


def _found_fields(row_text: str) -> str:
    """Says which fields were expected, and which fields the row has."""
    try:
        row = json.loads(row_text)
    except ValueError:
        # The text of a rejected row is cut to 500 characters, so its end may be missing.
        names = re.findall(r'"(\w+)"\s*:', row_text) if row_text.startswith("{") else []
    else:
        names = list(row) if isinstance(row, dict) else []
    found = f"found {', '.join(names[:12])}" if names else "found no JSON object"
    return f"; {_EXPECTED}, {found}"


def _names(sources: Sequence[Source]) -> str:
    first = str(sources[0].path)
    return first if len(sources) == 1 else f"{first} and {len(sources) - 1} more"


def _shown(text: str | None) -> str:
    flat = " ".join((text or "").replace("\0", "").split())
    return repr(flat if len(flat) <= _LENGTH_SHOWN else f"{flat[: _LENGTH_SHOWN - 3]}...")
