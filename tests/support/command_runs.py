"""What commands say and make, when a test runs them in its own process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

QUICK = (
    *("--set", "relevance.max_rounds=1", "--set", "rating.max_rounds=1", "--set", "relevance.num_members=1"),
    *("--set", "report.baselines_up_to=0", "--set", "split.max_holdouts=1"),
)
"""Options with which a small index is built in seconds."""


class Said(NamedTuple):
    """What a command printed and logged."""

    code: int
    stdout: str
    log: str

    @property
    def sentence(self) -> str:
        """Gives the error, which must be one line and the only trouble that was printed."""
        assert self.code == 1, self
        assert "Traceback" not in self.log
        errors = [line for line in self.log.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1, self.log
        return errors[0]


class Prepared(NamedTuple):
    """What `engine prepare` made of files."""

    accounting: dict[str, Any]
    log: str
    table: Path
    rejected_rows: Path

    @property
    def counts(self) -> tuple[int, int, int]:
        """Gives the numbers of rows read, kept and rejected."""
        given = self.accounting
        return given["read"], given["kept"], sum(given["rejected_by"].values())

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """Gives the rows of a query over the tables `prepared` and `rejected`."""
        import duckdb

        with duckdb.connect() as database:
            database.read_parquet(str(self.table)).create_view("prepared")
            database.read_parquet(str(self.rejected_rows)).create_view("rejected")
            return database.execute(query).fetchall()


Engine = Callable[..., Said]
Prepare = Callable[..., Prepared]
