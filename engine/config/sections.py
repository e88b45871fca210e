"""Holds every setting of a build, each with its default, its range, its meaning and when to change it."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from engine.config.values import (
    DAY,
    MEMORY,
    at_least,
    check_rules,
    from_mapping,
    merge,
    one_of,
    parse_assignment,
    to_mapping,
)
from engine.errors import ConfigError

logger = logging.getLogger(__name__)

Count = Annotated[int, at_least(1)]
Share = Annotated[float, at_least(0.0, 1.0)]
Penalty = Annotated[float, at_least(0.0)]

RENAMED = {"relevance.max_epochs": "relevance.max_rounds", "rating.max_epochs": "rating.max_rounds"}
"""Settings that are still read under the name that they had before."""
GONE = (
    *("split.validation_share", "relevance.members_up_to", "relevance.num_targets"),
    *(f"relevance.{name}" for name in ("patience", "batch_size", "round_size", "reviewer_dropout")),
    *("relevance.history_dropout", "relevance.full_softmax_up_to"),
    *(f"rating.{name}" for name in ("patience", "batch_size", "round_size", "history_dropout", "l2_bias")),
    *(f"neighbours.{name}" for name in ("shrinkage", "rating_shrinkage", "damping", "max_history")),
    *("neighbours.num_linear_neighbours", "cold.max_words", "cold.features", "cold.num_neighbours"),
    *("index.audit_k", "index.audit_reviewers"),
)
"""Settings that are fixed now; the manifests of older indexes may hold them."""


class _Section:
    """Checks every setting of a section by the rules beside its type."""

    def __post_init__(self) -> None:
        check_rules(type(self).__name__.removesuffix("Config").lower(), self)


@dataclass(frozen=True, kw_only=True)
class IngestConfig(_Section):
    """Says what is read from the source files, and which rows stay."""

    format: Annotated[str, one_of("auto", "amazon", "movielens", "table")] = "auto"
    """How the files are written. Change it when `auto` takes a file for something else."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Which source column of a table is which of ours. Give it when a table names its columns in another
    way, such as {"reviewer": "user", "movie": "item"}."""
    where: str | None = None
    """An SQL condition over the prepared columns; a row stays if it is true. Give it to build from a part of
    the reviews, such as those of one category."""
    since: Annotated[str | None, DAY] = None
    """The first day kept. Give it to leave out reviews that are too old to count."""
    until: Annotated[str | None, DAY] = None
    """The last day kept. Give it to build the index as it would have been on that day."""
    verified_only: bool = False
    """Keep only reviews of verified purchases. Turn it on when other reviews cannot be trusted."""
    min_reviews_per_reviewer: Count = 2
    """Reviewers with fewer reviews are dropped, until all that is left has enough (the k-core). Raise it to
    train faster on active reviewers alone; at 1 nobody is dropped."""
    min_reviews_per_movie: Count = 2
    """Movies with fewer reviews are dropped in the same way. Raise it to keep rarely reviewed movies out of
    the training; at 1 none is dropped."""
    allow_truncated: bool = False
    """Build from what can be read of a gzip file that ends too early. Turn it on when the rest is lost."""
    memory_limit: Annotated[str, MEMORY] = "4GB"
    """Memory that DuckDB may use before it spills to disk; small files are read with less. Lower it on a
    small machine, raise it where reading spills."""
    threads: Annotated[int, at_least(0, 1024)] = 0
    """Threads of DuckDB, FAISS and TensorFlow; 0 takes one a core. Lower it to leave cores to other work."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.since and self.until and self.since > self.until:
            raise ConfigError(f"ingest.since ({self.since}) is later than ingest.until ({self.until})")


@dataclass(frozen=True, kw_only=True)
class SplitConfig(_Section):
    """Says which reviews are held out to measure a build and to choose its weights."""

    test_share: Annotated[float, at_least(0.0, 0.5)] = 0.2
    """Each reviewer's last share of reviews, on which the figures of a build are measured. Set it to 0 to
    save the training that measures, when the figures are known already."""
    max_holdouts: Annotated[int, at_least(1, 20)] = 4
    """Trainings, at most, that choose length and weights on held-out reviews; more than one where one holds
    out fewer than some 650 likes. Set it to 1 to build a small index faster."""
    order: Annotated[str, one_of("auto", "time", "none")] = "auto"
    """time: each reviewer's last reviews are held out, and older reviews fade; none: any reviews are held
    out, and all count alike; auto: time, where the data has any. Change it to none when the times say when
    reviews were stored and not when they were written."""


@dataclass(frozen=True, kw_only=True)
class SentimentConfig(_Section):
    """Says what the texts of reviews add to the ratings that are learned from."""

    use: bool = False
    """Score the texts with a lexicon of English, and blend the scores with the stars. Turn it on when
    `engine evaluate --sentiment` finds the blend better."""
    weight: Share = 0.3
    """The weight of the texts beside the stars. Raise it when the stars are nearly all the same."""


@dataclass(frozen=True, kw_only=True)
class RelevanceConfig(_Section):
    """Shapes the head that tells whether a reviewer will come to a movie; FAISS searches its vectors."""

    embedding_dim: Annotated[int, at_least(1, 4096)] = 64
    """Numbers in the vector of a reviewer or movie, without the movie's bias. Lower it to save memory and
    time, raise it for many millions of reviews; `engine tune` searches it."""
    recency_power: Annotated[float, at_least(0.0, 4.0)] = 0.4
    """How fast older reviews fade: the n-th last review counts n ** -recency_power. Raise it when tastes
    change quickly; `engine tune` searches it."""
    num_members: Count = 2
    """Heads of other seeds whose scores are averaged, for up to 200,000 reviews. Set it to 1 to train in half
    the time, raise it for steadier lists."""
    max_history: Count = 500
    """A reviewer's latest reviews that make up their vector. Lower it when a few reviewers with thousands of
    reviews slow training down."""
    other_weight: Share = 0.3
    """The weight, as targets, of reviews that are no likes; likes weigh 1. Lower it when lists should hold
    only what people like, not also what they come to; `engine tune` searches it."""
    max_rounds: Count = 40
    """Rounds of training, at most. Lower it for a quick trial; raise it when the report's training curve
    still rises at its end."""
    learning_rate: Annotated[float, at_least(0.0, 10.0)] = 0.005
    """The length of a step of a row, in the units of its root mean square gradient. Lower it when a build
    says that the loss is not finite; `engine tune` searches it."""
    dropout: Annotated[float, at_least(0.0, 0.95)] = 0.5
    """The share of a reviewer vector's numbers left out in training. Raise it for few reviews, lower it for
    very many; `engine tune` searches it."""
    l2: Penalty = 1e-4
    """The weight of the squared vectors in the loss. Raise it for few reviews, lower it for very many;
    `engine tune` searches it."""
    num_negatives: Count = 4096
    """Movies drawn against each step's targets in catalogues of more than 8,192 movies. Lower it to train
    faster, raise it for better lists from a very large catalogue."""


@dataclass(frozen=True, kw_only=True)
class RatingConfig(_Section):
    """Shapes the head that tells what a reviewer will give a movie: a distribution over the levels."""

    dim: Annotated[int, at_least(1, 4096)] = 32
    """Numbers in the vector of a reviewer or movie of this head. Lower it to save memory and time;
    `engine tune` searches it."""
    hidden_units: Annotated[tuple[int, ...], at_least(1, 65536)] = (32,)
    """Widths of the MLP's hidden layers. Widen or add layers when there are very many ratings to learn
    from."""
    like_rating: float | None = None
    """The lowest rating that is a like; by default three quarters up the scale, 4 of 1 to 5 stars. Give it
    when people mean something else by a good rating."""
    max_rounds: Count = 18
    """Rounds of training, at most. Lower it for a quick trial; raise it when the report's training curve
    still rises at its end."""
    learning_rate: Annotated[float, at_least(0.0, 10.0)] = 0.005
    """The length of the first steps, which falls to zero over the rounds. Lower it when a build says that
    the loss is not finite."""
    dropout: Annotated[float, at_least(0.0, 0.95)] = 0.2
    """The share of the MLP's inputs left out in training. Raise it for few ratings, lower it for very
    many."""
    l2: Penalty = 0.6
    """The weight of the squared vectors in the loss, per review. Raise it for few ratings, lower it for very
    many; `engine tune` searches it."""


@dataclass(frozen=True, kw_only=True)
class NeighboursConfig(_Section):
    """Sizes the tables of neighbouring movies, which give candidates and add to scores."""

    num_neighbours: Count = 200
    """Neighbours kept of each movie. Lower it when the index takes too much disk or the build too long."""
    linear_up_to: Annotated[int, at_least(0)] = 10_000
    """Catalogues of up to this many movies may get a linear model of all pairs. Lower it when that takes too
    much memory, which grows with the square of the movies, or time, which grows with the third power."""
    linear_l2: Annotated[float, at_least(1e-3)] = 100.0
    """The penalty of the linear model, in reviewers; multiples of it are tried on held-out likes. Change it
    as `engine tune` finds."""
    num_content_neighbours: Annotated[int, at_least(0)] = 100
    """Movies alike by metadata that are tried as neighbours of each movie. Set it to 0 when the metadata says
    nothing of taste."""


@dataclass(frozen=True, kw_only=True)
class ColdConfig(_Section):
    """Says what becomes of cold movies, which metadata describes and nobody has reviewed."""

    enabled: bool = True
    """Take cold movies into the index, with vectors from their metadata. Turn it off when lists should hold
    reviewed movies alone, and nothing is to be added with `engine add-movies`."""
    max_reviews: Annotated[int, at_least(0)] = 1
    """A movie that was dropped for having too few reviews joins as a cold movie if it has this many at most.
    Raise it together with ingest.min_reviews_per_movie."""
    list_share: Share = 0.02
    """The part of all top tens that cold movies may take; their scores are lowered to reach it. Raise it to
    show more that is new."""


@dataclass(frozen=True, kw_only=True)
class PopularityConfig(_Section):
    """Says what is listed for unknown reviewers."""

    half_life_days: Annotated[float, at_least(0.01)] = 1000.0
    """The age at which a review counts half in a movie's popularity. Lower it when fame passes quickly."""


@dataclass(frozen=True, kw_only=True)
class IndexConfig(_Section):
    """Says how movie vectors are searched, and how much that may lose against scoring every movie."""

    kind: Annotated[str, one_of("auto", "flat", "ivf", "ivf-fp16", "ivf-sq8")] = "auto"
    """The kind of vector index; auto chooses by size, memory and recall. Change it to flat for exact search,
    or to a kind that suits your machine better."""
    recall_floor: Share = 0.99
    """The least part of the exhaustive top list that the two-stage search must find. Lower it for faster
    answers from a very large catalogue."""
    memory_limit: Annotated[str, MEMORY] = "1GB"
    """Memory that the vectors of an index chosen by auto may take, where that finds enough. Lower it when
    answers come from a small machine."""


@dataclass(frozen=True, kw_only=True)
class ReportConfig(_Section):
    """Says what a build measures beside its own figures."""

    baselines_up_to: Annotated[int, at_least(0)] = 200_000
    """Builds from up to this many reviews train baselines too, for their report. Set it to 0 to build
    faster."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Holds every setting of a build."""

    seed: int = 42
    """The seed of every random choice; equal seeds and data give equal indexes. Change it to see how much
    the figures owe to chance."""
    ingest: IngestConfig = field(default_factory=IngestConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    sentiment: SentimentConfig = field(default_factory=SentimentConfig)
    relevance: RelevanceConfig = field(default_factory=RelevanceConfig)
    rating: RatingConfig = field(default_factory=RatingConfig)
    neighbours: NeighboursConfig = field(default_factory=NeighboursConfig)
    cold: ColdConfig = field(default_factory=ColdConfig)
    popularity: PopularityConfig = field(default_factory=PopularityConfig)
    index: IndexConfig = field(default_factory=IndexConfig)
    report: ReportConfig = field(default_factory=ReportConfig)

    def to_dict(self) -> dict[str, Any]:
        """Returns every setting as plain values, which the manifest keeps."""
        return to_mapping(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Config:
        """Restores what `to_dict` gave, also in an older version; missing settings take defaults."""
        kept = {
            section: {name: held[name] for name in held if f"{section}.{name}" not in GONE}
            if isinstance(held, Mapping)
            else held
            for section, held in values.items()
        }
        return from_mapping(cls, _current(kept))


def load_config(
    recipe: Path | None = None, assignments: Sequence[str] = (), overrides: Mapping[str, Any] | None = None
) -> Config:
    """Merges defaults < recipe < assignments < overrides into one checked configuration.

    Args:
        recipe: a TOML file that holds only what differs from the defaults.
        assignments: texts such as `ingest.threads=2`, as given to `--set`.
        overrides: values by dotted name, such as `{"seed": 7, "ingest.where": "price < 10"}`, or nested.

    Raises:
        ConfigError: a setting is unknown, fixed now, of the wrong type or out of range, or the recipe cannot
            be read.
    """
    layers = [_read_recipe(recipe)]
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        setting, value = parse_assignment(Config, f"{_current_name(name.strip())}{separator}{text}")
        layers.append({setting: value})
    return Config.from_dict(merge(*(_current(merge(layer)) for layer in (*layers, overrides or {}))))


def _current(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns nested settings under the names that they have now."""
    current = dict(values)
    for section, held in values.items():
        if isinstance(held, Mapping):
            names = {name: _current_name(f"{section}.{name}").rpartition(".")[2] for name in held}
            current[section] = {names[name]: value for name, value in held.items()}
    return current


def _current_name(setting: str) -> str:
    """Returns the name that a setting has now.

    Raises:
        ConfigError: the setting is fixed now.
    """
    if setting in GONE:
        raise ConfigError(f"Setting '{setting}' is fixed now and cannot be set; leave it out")
    if setting in RENAMED:
        logger.warning("Setting '%s' is called '%s' now; use that name", setting, RENAMED[setting])
    return RENAMED.get(setting, setting)


def _read_recipe(recipe: Path | None) -> dict[str, Any]:
    if recipe is None:
        return {}
    try:
        return tomllib.loads(Path(recipe).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read the recipe {recipe}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The recipe {recipe} is not valid TOML: {error}") from error
