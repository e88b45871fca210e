"""Every setting of a build: one frozen section a concern, a default and a line of meaning each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class IngestConfig:
    """What is read from the source files and which rows stay."""

    format: str = "auto"
    """How the files are read: auto, amazon, movielens or table."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """For tables: which source column is which of ours, such as {"reviewer": "user", "movie": "item"}."""
    where: str | None = None
    """SQL condition over the prepared columns; rows for which it is not true are filtered."""
    since: str | None = None
    """First day kept, as YYYY-MM-DD."""
    until: str | None = None
    """Last day kept, as YYYY-MM-DD."""
    verified_only: bool = False
    """Keep only reviews of verified purchases."""
    min_reviews_per_reviewer: int = 2
    """Reviewers with fewer reviews are dropped, again and again until nothing changes (the k-core)."""
    min_reviews_per_movie: int = 2
    """Movies with fewer reviews are dropped, likewise."""
    allow_truncated: bool = False
    """Build from what can be read of a gzip file that ends too early."""
    memory_limit: str = "4GB"
    """How much memory DuckDB may use before it spills to disk."""
    threads: int = 0
    """Threads for DuckDB, FAISS and TensorFlow; 0 takes one a core."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole configuration of a build."""

    seed: int = 42
    """Seed of every random choice; equal seeds and data give equal artifacts."""
    ingest: IngestConfig = field(default_factory=IngestConfig)
    """Reading and filtering."""
