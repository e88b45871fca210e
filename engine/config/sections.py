"""Every setting of a build: one frozen section a concern, a default and a line of meaning each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.config.values import (
    from_mapping,
    merge,
    parse_assignment,
    require_choice,
    require_date,
    require_range,
    require_size,
    to_mapping,
)
from engine.errors import ConfigError

FORMATS = ("auto", "amazon", "movielens", "table")
ORDERS = ("auto", "time", "none")
INDEX_KINDS = ("auto", "flat", "ivf", "ivf-fp16", "ivf-sq8")


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
    """How much memory DuckDB may use before it spills to disk; small files are read with less."""
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
        require_range("ingest.threads", self.threads, low=0, high=1024)


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """Which reviews are held out while the quality of a build is measured."""

    test_share: float = 0.2
    """Each reviewer's last share by time, on which the held-out figures are measured; 0 measures nothing."""
    validation_share: float = 0.1
    """Of what is left the last share, on which training stops and weights are chosen."""
    max_holdouts: int = 4
    """Trainings on which that is done at most, each with other reviews held out: more than one where those
    have fewer than some 650 likes."""
    order: str = "auto"
    """time: what comes last is held out, and older reviews fade; none: held out is what a draw says, and all
    reviews count alike; auto: time, where the data has any."""

    def __post_init__(self) -> None:
        require_range("split.test_share", self.test_share, low=0.0, high=0.5)
        require_range("split.validation_share", self.validation_share, low=0.01, high=0.5)
        require_range("split.max_holdouts", self.max_holdouts, low=1, high=20)
        require_choice("split.order", self.order, ORDERS)


@dataclass(frozen=True, kw_only=True)
class SentimentConfig:
    """What the texts of reviews have to say in the ratings that are learned from."""

    use: bool = False
    """Score the texts with a lexicon, and blend that with the stars."""
    weight: float = 0.3
    """Of the sentiment beside the stars, from 0 to 1."""

    def __post_init__(self) -> None:
        require_range("sentiment.weight", self.weight, low=0.0, high=1.0)


@dataclass(frozen=True, kw_only=True)
class RelevanceConfig:
    """The head that answers whether a reviewer will come to a movie; FAISS searches its vectors."""

    embedding_dim: int = 64
    """Numbers in a reviewer or movie vector, without the movie's bias."""
    recency_power: float = 0.4
    """How fast older reviews fade: the n-th last counts n ** -recency_power."""
    num_members: int = 2
    """Heads that differ by their seeds and whose scores are averaged, where there are few reviews."""
    members_up_to: int = 200_000
    """Reviews up to which there are so many heads; one for more."""
    max_history: int = 500
    """The latest reviews of a reviewer that a vector is pooled from."""
    other_weight: float = 0.3
    """Weight of reviews that are no likes, as targets; likes weigh 1."""
    num_targets: int = 20
    """Of an example the reviews after its history that are to be predicted, at most."""
    max_epochs: int = 40
    """Rounds of training, at most."""
    patience: int = 4
    """Rounds without a better validation figure after which training stops."""
    batch_size: int = 256
    """Examples in a step; less for small data, more for large."""
    round_size: int = 400_000
    """Examples in a round of training, at most: of large data each round takes another part."""
    learning_rate: float = 0.005
    """Length of a step of a row, in the units of its root mean square gradient."""
    dropout: float = 0.5
    """Share of the reviewer vector's numbers left out in training."""
    reviewer_dropout: float = 0.5
    """Share of the examples that must do without the reviewer's own embedding."""
    history_dropout: float = 0.2
    """Share of a history left out in training."""
    l2: float = 1e-4
    """Weight of the squared movie and reviewer vectors in the loss."""
    num_negatives: int = 4096
    """Movies drawn against each step's targets where the catalogue is large."""
    full_softmax_up_to: int = 8192
    """Catalogues up to this size are compared whole, without drawing."""

    def __post_init__(self) -> None:
        require_range("relevance.embedding_dim", self.embedding_dim, low=1, high=4096)
        require_range("relevance.recency_power", self.recency_power, low=0.0, high=4.0)
        require_range("relevance.num_members", self.num_members, low=1)
        require_range("relevance.members_up_to", self.members_up_to, low=0)
        require_range("relevance.max_history", self.max_history, low=1)
        require_range("relevance.other_weight", self.other_weight, low=0.0, high=1.0)
        require_range("relevance.num_targets", self.num_targets, low=1)
        require_range("relevance.max_epochs", self.max_epochs, low=1)
        require_range("relevance.patience", self.patience, low=1)
        require_range("relevance.batch_size", self.batch_size, low=1)
        require_range("relevance.round_size", self.round_size, low=1)
        require_range("relevance.learning_rate", self.learning_rate, low=0.0, high=10.0)
        for name in ("dropout", "reviewer_dropout", "history_dropout"):
            require_range(f"relevance.{name}", getattr(self, name), low=0.0, high=0.95)
        require_range("relevance.l2", self.l2, low=0.0)
        require_range("relevance.num_negatives", self.num_negatives, low=1)
        require_range("relevance.full_softmax_up_to", self.full_softmax_up_to, low=0)


@dataclass(frozen=True, kw_only=True)
class RatingConfig:
    """The head that answers what a reviewer will give a movie: a distribution over the rating levels."""

    dim: int = 32
    """Numbers in a reviewer or movie vector of this head."""
    hidden_units: tuple[int, ...] = (32,)
    """Widths of the MLP's hidden layers."""
    like_rating: float | None = None
    """The lowest rating that is a like; by default three quarters up the scale, 4 of 1..5 stars."""
    max_epochs: int = 18
    """Rounds of training, at most."""
    patience: int = 10
    """Rounds without a better validation log loss after which training stops; its first rounds are noisy."""
    batch_size: int = 2560
    """Reviews in a step; less for small data, more for large."""
    round_size: int = 2_000_000
    """Reviews in a round of training, at most: of large data each round takes another part."""
    learning_rate: float = 0.005
    """Length of the first steps; it falls to zero over the rounds."""
    dropout: float = 0.2
    """Share of the MLP's inputs left out in training."""
    history_dropout: float = 0.2
    """Share of a history left out in training."""
    l2: float = 0.6
    """Weight of the squared vectors in the loss, per review."""
    l2_bias: float = 0.02
    """Weight of the squared biases in the loss, per review."""

    def __post_init__(self) -> None:
        require_range("rating.dim", self.dim, low=1, high=4096)
        for width in self.hidden_units:
            require_range("rating.hidden_units", width, low=1, high=65536)
        require_range("rating.max_epochs", self.max_epochs, low=1)
        require_range("rating.patience", self.patience, low=1)
        require_range("rating.batch_size", self.batch_size, low=1)
        require_range("rating.round_size", self.round_size, low=1)
        require_range("rating.learning_rate", self.learning_rate, low=0.0, high=10.0)
        for name in ("dropout", "history_dropout"):
            require_range(f"rating.{name}", getattr(self, name), low=0.0, high=0.95)
        require_range("rating.l2", self.l2, low=0.0)
        require_range("rating.l2_bias", self.l2_bias, low=0.0)


@dataclass(frozen=True, kw_only=True)
class NeighboursConfig:
    """The tables of movies that the same reviewers came to, or rated alike."""

    num_neighbours: int = 200
    """Neighbours kept of each movie."""
    shrinkage: float = 3.0
    """Reviewers in common at which a co-review similarity counts half."""
    rating_shrinkage: float = 100.0
    """Likewise for the similarity of ratings."""
    linear_up_to: int = 10_000
    """Catalogues up to this size may get a linear model of all pairs in place of co-review similarities."""
    linear_l2: float = 100.0
    """Holds the linear model's weights short, in reviewers; others near it are tried on held-out likes."""
    num_linear_neighbours: int = 500
    """Neighbours kept of each movie by the linear model, whose weights fall off more slowly."""
    damping: float = 10.0
    """Reviews added to the norm of damped co-reviews, which may stand in too; more is tried likewise."""
    num_content_neighbours: int = 100
    """Movies alike by metadata that are tried as neighbours of each movie beside these; 0 tries none."""
    max_history: int = 300
    """The latest reviews of a reviewer that are paired, which bounds the work of heavy reviewers."""

    def __post_init__(self) -> None:
        require_range("neighbours.num_neighbours", self.num_neighbours, low=1)
        require_range("neighbours.shrinkage", self.shrinkage, low=0.0)
        require_range("neighbours.rating_shrinkage", self.rating_shrinkage, low=0.0)
        require_range("neighbours.linear_up_to", self.linear_up_to, low=0)
        require_range("neighbours.linear_l2", self.linear_l2, low=1e-3)
        require_range("neighbours.num_linear_neighbours", self.num_linear_neighbours, low=1)
        require_range("neighbours.damping", self.damping, low=0.0)
        require_range("neighbours.num_content_neighbours", self.num_content_neighbours, low=0)
        require_range("neighbours.max_history", self.max_history, low=2)


@dataclass(frozen=True, kw_only=True)
class ColdConfig:
    """Movies that metadata describes but that have no reviews to learn from."""

    enabled: bool = True
    """Take them into the index, with vectors from their metadata, and be able to add more."""
    max_reviews: int = 1
    """Movies that were dropped for having too few reviews join if they have this many at most."""
    max_words: int = 50_000
    """Different words that are known, the most common ones."""
    features: int = 128
    """Numbers that a movie's words are reduced to."""
    num_neighbours: int = 50
    """Neighbours of a movie without reviews, and movies that it is a neighbour of."""
    list_share: float = 0.02
    """Part of the top tens that movies without reviews may take in all; their level is lowered to that."""

    def __post_init__(self) -> None:
        require_range("cold.max_reviews", self.max_reviews, low=0)
        require_range("cold.max_words", self.max_words, low=1, high=2**18)
        require_range("cold.features", self.features, low=1, high=4096)
        require_range("cold.num_neighbours", self.num_neighbours, low=1)
        require_range("cold.list_share", self.list_share, low=0.0, high=1.0)


@dataclass(frozen=True, kw_only=True)
class PopularityConfig:
    """What is listed for reviewers of whom nothing is known."""

    half_life_days: float = 1000.0
    """Age at which a review counts half in a movie's popularity."""

    def __post_init__(self) -> None:
        require_range("popularity.half_life_days", self.half_life_days, low=0.01)


@dataclass(frozen=True, kw_only=True)
class IndexConfig:
    """The candidate index, and how much it may lose against scoring every movie."""

    kind: str = "auto"
    """flat, ivf, ivf-fp16, ivf-sq8, or auto, which chooses by size, memory and recall."""
    recall_floor: float = 0.99
    """Least part of the exhaustive top list that the two-stage search must find."""
    memory_limit: str = "1GB"
    """What the vectors of an index that is chosen by itself take at most, where that finds enough."""
    audit_k: int = 10
    """Length of the lists compared."""
    audit_reviewers: int = 500
    """Reviewers on whom they are compared."""

    def __post_init__(self) -> None:
        require_choice("index.kind", self.kind, INDEX_KINDS)
        require_range("index.recall_floor", self.recall_floor, low=0.0, high=1.0)
        require_size("index.memory_limit", self.memory_limit)
        require_range("index.audit_k", self.audit_k, low=1)
        require_range("index.audit_reviewers", self.audit_reviewers, low=1)


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """What a build shows beside its own figures."""

    baselines_up_to: int = 200_000
    """Builds from up to so many reviews train baselines too, for their report; 0 leaves them out."""

    def __post_init__(self) -> None:
        require_range("report.baselines_up_to", self.baselines_up_to, low=0)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole configuration of a build."""

    seed: int = 42
    """Seed of every random choice; equal seeds and data give equal artifacts."""
    ingest: IngestConfig = field(default_factory=IngestConfig)
    """Reading and filtering."""
    split: SplitConfig = field(default_factory=SplitConfig)
    """Holding out."""
    sentiment: SentimentConfig = field(default_factory=SentimentConfig)
    """Review texts as a signal."""
    relevance: RelevanceConfig = field(default_factory=RelevanceConfig)
    """Will this reviewer come to this movie?"""
    rating: RatingConfig = field(default_factory=RatingConfig)
    """What will they give it?"""
    neighbours: NeighboursConfig = field(default_factory=NeighboursConfig)
    """The second source of candidates."""
    cold: ColdConfig = field(default_factory=ColdConfig)
    """Movies without reviews."""
    popularity: PopularityConfig = field(default_factory=PopularityConfig)
    """What is listed for the unknown."""
    index: IndexConfig = field(default_factory=IndexConfig)
    """The first one, and the audit of both."""
    report: ReportConfig = field(default_factory=ReportConfig)
    """What is measured beside the build."""

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
