"""Every setting of a build: one frozen section a concern, a default and a line of meaning each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import ConfigError
from engine.settings import (
    from_mapping,
    merge,
    parse_assignment,
    require_choice,
    require_date,
    require_range,
    require_size,
    to_mapping,
)

FORMATS = ("auto", "amazon", "movielens", "table")


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

    def __post_init__(self) -> None:
        require_choice("ingest.format", self.format, FORMATS)
        require_date("ingest.since", self.since)
        require_date("ingest.until", self.until)
        if self.since and self.until and self.since > self.until:
            raise ConfigError(f"ingest.since ({self.since}) is later than ingest.until ({self.until})")
        require_range("ingest.min_reviews_per_reviewer", self.min_reviews_per_reviewer, low=1)
        require_range("ingest.min_reviews_per_movie", self.min_reviews_per_movie, low=1)
        require_size("ingest.memory_limit", self.memory_limit)
        require_range("ingest.threads", self.threads, low=0)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole configuration of a build."""

    seed: int = 42
    """Seed of every random choice; equal seeds and data give equal artifacts."""
    ingest: IngestConfig = field(default_factory=IngestConfig)
    """Reading and filtering."""

    def to_dict(self) -> dict[str, Any]:
        """Gives every setting as plain values, which the manifest keeps."""
        return to_mapping(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Config:
        """Restores what `to_dict` gave; settings that are left out take their defaults."""
        return from_mapping(cls, values)


def load_config(
    recipe: Path | None = None,
    assignments: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> Config:
    """Merges defaults < recipe < assignments < overrides into one checked configuration.

    Args:
        recipe: a TOML file that holds only what differs from the defaults.
        assignments: texts such as `ingest.threads=2`, as given to `--set`.
        overrides: values by dotted name, such as `{"seed": 7, "ingest.where": "price < 10"}`, or nested.

    Raises:
        ConfigError: a setting is unknown, of the wrong type or out of range, or the recipe cannot be read.
    """
    assigned = (dict([parse_assignment(Config, assignment)]) for assignment in assignments)
    return Config.from_dict(merge(_read_recipe(recipe), *assigned, overrides or {}))


def _read_recipe(recipe: Path | None) -> dict[str, Any]:
    if recipe is None:
        return {}
    try:
        return tomllib.loads(Path(recipe).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read the recipe {recipe}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The recipe {recipe} is not valid TOML: {error}") from error
