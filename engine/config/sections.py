"""Defines all settings of a build, each with a default, a range, a meaning and a reason to change it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from engine.config.former import GONE, current, current_name
from engine.config.values import (
    DATABASE,
    DAY,
    MEMORY,
    TIME_FORMAT,
    at_least,
    check_rules,
    from_mapping,
    merge,
    one_of,
    parse_assignment,
    to_mapping,
)
from engine.errors import ConfigError

Count = Annotated[int, at_least(1)]
Share = Annotated[float, at_least(0.0, 1.0)]
Penalty = Annotated[float, at_least(0.0)]


class _Section:
    """Checks each setting of a section by the rules in the type annotation of the setting."""

    def __post_init__(self) -> None:
        check_rules(type(self).__name__.removesuffix("Config").lower(), self)


@dataclass(frozen=True, kw_only=True)
class IngestConfig(_Section):
    """Says how the source files are read, and which reviews and movies are kept."""

    format: Annotated[str, one_of("auto", "amazon", "movielens", "table")] = "auto"
    """The format of the source files. Change `format` when the value auto mistakes the format of a file."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """The names of the columns of tables, or of the fields of JSON, that hold the values the engine calls
    reviewer, movie, rating, time and so on; an empty name leaves a column out. Give `columns` when a file
    uses names that are not recognised, such as {"reviewer": "who", "movie": "what.id", "time": ""}."""
    no_header: bool = False
    """Read the first line of a table of reviews as a review. Turn `no_header` on when the first line of a
    table is mistaken for the names of the columns, and name the columns by number in `columns`."""
    ratings: Annotated[str, one_of("auto", "stars", "counts")] = "auto"
    """The kind of numbers in the column of ratings: stars on a scale, or counts such as plays or hours, of
    which the higher half are likes; with auto, the numbers decide which kind they are. Change `ratings` when
    a warning shows that stars were mistaken for counts."""
    time_format: Annotated[str | None, TIME_FORMAT] = None
    """The way in which times are written in the files; by default, the engine recognises the way from the
    times of each file. Give `time_format` when a warning says that dates can be read in two ways, or that
    times cannot be read."""
    where: str | None = None
    """An SQL condition on the columns of the prepared reviews; only reviews that meet the condition are kept.
    Give `where` to build an index from some of the reviews, such as the reviews of one category."""
    since: Annotated[str | None, DAY] = None
    """The first day from which reviews are kept; older reviews are dropped. Give `since` to leave out reviews
    that are too old to count."""
    until: Annotated[str | None, DAY] = None
    """The last day from which reviews are kept; newer reviews are dropped. Give `until` to build the index
    that would have been built on that day."""
    verified_only: bool = False
    """Keep only reviews of verified purchases. Turn `verified_only` on when other reviews cannot be
    trusted."""
    min_reviews_per_reviewer: Count = 2
    """The least number of reviews of a reviewer; reviewers with fewer reviews are dropped, and movies
    likewise, repeatedly, until every remaining reviewer and movie has enough. Raise
    `min_reviews_per_reviewer` to train faster on active reviewers alone; at 1 no reviewer is dropped."""
    min_reviews_per_movie: Count = 2
    """The least number of reviews of a movie; movies with fewer reviews are dropped, and reviewers likewise,
    repeatedly, until every remaining reviewer and movie has enough. Raise `min_reviews_per_movie` to train
    without rarely reviewed movies; at 1 no movie is dropped."""
    allow_truncated: bool = False
    """Build from the readable part of a compressed file that ends too early. Turn `allow_truncated` on when
    the rest of the file is lost."""
    memory_limit: Annotated[str, MEMORY] = "4GB"
    """The most memory that DuckDB uses before DuckDB writes intermediate results to disk; small files are
    read with less memory. Lower `memory_limit` on a small machine; raise `memory_limit` when DuckDB writes
    intermediate results to disk."""
    threads: Annotated[int, at_least(0, 1024)] = 0
    """The number of threads of DuckDB, FAISS and TensorFlow; 0 means one thread per core. Lower `threads` to
    leave cores to other programs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.since and self.until and self.since > self.until:
            raise ConfigError(f"ingest.since ({self.since}) is later than ingest.until ({self.until})")

    @property
    def time_pattern(self) -> str | None:
        """Returns `time_format` if the setting is a pattern such as %d.%m.%Y, otherwise None."""
        return self.time_format if self.time_format and "%" in self.time_format else None


@dataclass(frozen=True, kw_only=True)
class SplitConfig(_Section):
    """Says which reviews are held out, to measure a build and to choose the weights in scores."""

    test_share: Annotated[float, at_least(0.0, 0.5)] = 0.2
    """The share of each reviewer's reviews, namely the latest reviews, that is held out to measure a build.
    Set `test_share` to 0 when the metrics are known already, to skip the training that only serves to
    measure."""
    max_holdouts: Annotated[int, at_least(1, 20)] = 4
    """The largest number of trainings that are validated on held-out reviews, to choose the number of rounds
    and the weights in scores; one training is enough if about 670 likes or more are held out. Set
    `max_holdouts` to 1 to build a small index faster."""
    order: Annotated[str, one_of("auto", "time", "none")] = "auto"
    """The order of each reviewer's reviews: with time, the last reviews are held out, and older reviews weigh
    less; with none, random reviews are held out, and all reviews weigh the same; auto means time if the data
    has times, otherwise none. Change `order` to none when the times in the data say when reviews were stored,
    not when reviews were written."""


@dataclass(frozen=True, kw_only=True)
class SentimentConfig(_Section):
    """Says how the sentiment of review texts changes the ratings that the model learns from."""

    use: bool = False
    """Score the review texts with an English sentiment lexicon, and average the scores of the texts with the
    stars. Turn `use` on when `engine evaluate --sentiment` finds that predictions improve."""
    weight: Share = 0.3
    """The weight of the scores of the review texts, in the average with the stars. Raise `weight` when nearly
    all stars are the same."""


@dataclass(frozen=True, kw_only=True)
class RelevanceConfig(_Section):
    """Sets the size and training of the relevance head, which predicts whether a reviewer reviews a movie."""

    embedding_dim: Annotated[int, at_least(1, 4096)] = 64
    """The dimension of the vectors of reviewers and movies, without the movie's bias. Lower `embedding_dim`
    to save memory and time; raise `embedding_dim` for many millions of reviews; `engine tune` tunes this
    setting."""
    reviewer_embeddings: Annotated[str, one_of("learned", "none")] = "learned"
    """Whether a reviewer's vector is the sum of a learned embedding of the reviewer and the vector of the
    reviewer's history (learned), or the vector of the history alone (none). Change `reviewer_embeddings` to
    none when there are so many reviewers that their embeddings take too much memory or disk space."""
    memory_limit: Annotated[str, MEMORY] = "4GB"
    """The most memory that the embeddings of reviewers, with the optimizer's means of their gradients, may
    take in training; above the limit, they are kept in a file and used block by block, with the same result.
    Raise `memory_limit` on a machine with much memory; lower `memory_limit` on a small machine."""
    num_parts: Annotated[int, at_least(1, 1024)] = 1
    """The number of groups into which reviewers are divided for training; on Ray, a separate worker trains
    each group, and only this worker holds the embeddings of the reviewers in the group. Raise `num_parts` to
    the number of machines when one machine is too small or too slow."""
    recency_power: Annotated[float, at_least(0.0, 4.0)] = 0.4
    """How fast the weight of older reviews falls: a reviewer's n-th last review weighs n ** -recency_power.
    Raise `recency_power` when preferences change quickly; `engine tune` tunes this setting."""
    num_members: Count = 2
    """The number of relevance heads that are trained with different seeds and whose scores are averaged; with
    more than 200,000 reviews, only one head is trained. Set `num_members` to 1 to train in half the time;
    raise `num_members` for steadier lists."""
    max_history: Count = 500
    """The largest number of a reviewer's latest reviews from which the reviewer's vector is computed. Lower
    `max_history` when a few reviewers with thousands of reviews slow training down."""
    other_weight: Share = 0.3
    """The weight in training of a review that is not a like; a like has the weight 1. Lower `other_weight`
    when lists should hold movies that people like rather than movies that people only watch; `engine tune`
    tunes this setting."""
    max_rounds: Count = 40
    """The largest number of training rounds of the relevance head. Lower `max_rounds` for a quick trial;
    raise `max_rounds` when the training curve in the report still rises in the last rounds."""
    learning_rate: Annotated[float, at_least(0.0, 10.0)] = 0.005
    """The learning rate of the relevance head, whose training steps are scaled by the root mean square of
    past gradients. Lower `learning_rate` when a build reports that the loss is not finite; `engine tune`
    tunes this setting."""
    dropout: Annotated[float, at_least(0.0, 0.95)] = 0.5
    """The share of the numbers of a reviewer's vector that are set to zero, at random, in training (dropout).
    Raise `dropout` for few reviews; lower `dropout` for very many reviews; `engine tune` tunes this
    setting."""
    l2: Penalty = 1e-4
    """The weight in the loss of the L2 penalty on the vectors of the relevance head. Raise `l2` for few
    reviews; lower `l2` for very many reviews; `engine tune` tunes this setting."""
    num_negatives: Count = 4096
    """The number of negative movies that are drawn for each training step if the catalogue has more than
    8,192 movies. Lower `num_negatives` to train faster; raise `num_negatives` for better lists from a very
    large catalogue."""


@dataclass(frozen=True, kw_only=True)
class RatingConfig(_Section):
    """Sets the size and training of the rating head, which predicts the chance of each rating level."""

    dim: Annotated[int, at_least(1, 4096)] = 32
    """The dimension of the vectors of reviewers and movies in the rating head. Lower `dim` to save memory and
    time; `engine tune` tunes this setting."""
    hidden_units: Annotated[tuple[int, ...], at_least(1, 65536)] = (32,)
    """The widths of the hidden layers of the rating head's MLP. Widen the layers, or add layers, when the
    data has very many ratings."""
    like_rating: float | None = None
    """The lowest rating that counts as a like; by default the rating at three quarters of the scale, such as
    4 on a scale of 1 to 5 stars. Give `like_rating` when people in the data like a movie at another rating
    than the default."""
    max_rounds: Count = 18
    """The largest number of training rounds of the rating head. Lower `max_rounds` for a quick trial; raise
    `max_rounds` when the training curve in the report still rises in the last rounds."""
    learning_rate: Annotated[float, at_least(0.0, 10.0)] = 0.005
    """The learning rate of the rating head in the first round; the learning rate falls linearly to zero over
    the rounds. Lower `learning_rate` when a build reports that the loss is not finite."""
    dropout: Annotated[float, at_least(0.0, 0.95)] = 0.2
    """The share of the inputs of the rating head's MLP that are set to zero, at random, in training
    (dropout). Raise `dropout` for few ratings; lower `dropout` for very many ratings."""
    l2: Penalty = 0.6
    """The weight in the loss, per review, of the L2 penalty on the vectors of the rating head. Raise `l2` for
    few ratings; lower `l2` for very many ratings; `engine tune` tunes this setting."""


@dataclass(frozen=True, kw_only=True)
class NeighboursConfig(_Section):
    """Sets the sizes of the tables of similar movies, which influence scores and the choice of candidates."""

    num_neighbours: Count = 200
    """The number of neighbours of each movie that the tables of similar movies keep. Lower `num_neighbours`
    when the index takes too much disk space, or when the build takes too long."""
    linear_up_to: Annotated[int, at_least(0)] = 10_000
    """The largest number of movies in a catalogue for which the linear model of all pairs of movies is tried;
    for a larger catalogue, a local model of the movies that share reviewers is tried. Lower `linear_up_to`
    when the linear model takes too much memory, which grows with the square of the number of movies, or too
    much time, which grows with the third power."""
    linear_l2: Annotated[float, at_least(1e-3)] = 100.0
    """The L2 penalty of the linear model of all pairs of movies; multiples of this penalty are tried on
    held-out likes. Change `linear_l2` to the value that `engine tune` finds."""
    num_content_neighbours: Annotated[int, at_least(0)] = 100
    """The number of movies with similar metadata that are tried as neighbours of each movie. Set
    `num_content_neighbours` to 0 when the metadata does not tell which movies people like."""


@dataclass(frozen=True, kw_only=True)
class ColdConfig(_Section):
    """Says how cold movies enter the index; a cold movie has metadata, but too few reviews to train on."""

    enabled: bool = True
    """Take cold movies into the index, with vectors that are predicted from metadata. Turn `enabled` off when
    lists should hold only reviewed movies, and no movie will be added with `engine add-movies`."""
    max_reviews: Annotated[int, at_least(0)] = 1
    """The largest number of reviews with which a movie that was dropped for too few reviews still enters the
    index as a cold movie. Raise `max_reviews` together with ingest.min_reviews_per_movie."""
    doubt: Annotated[float, at_least(0)] = 1.0
    """The number of standard errors by which the predicted relevance of a cold movie is lowered; the standard
    error says how unsure the prediction from metadata is. Lower `doubt` to show more new movies, whose scores
    are less certain."""


@dataclass(frozen=True, kw_only=True)
class PopularityConfig(_Section):
    """Says how the popularity of movies is computed; popularity orders the list of an unknown reviewer."""

    half_life_days: Annotated[float, at_least(0.01)] = 1000.0
    """The age, in days, at which a review counts half as much as a new review in the popularity of a movie.
    Lower `half_life_days` when movies are popular for a short time only."""


@dataclass(frozen=True, kw_only=True)
class FeedbackConfig(_Section):
    """Says which rating a click, a purchase or a dislike stands for, from 0 (lowest) to 1 (highest)."""

    click: Share = 0.5
    """The rating for which a click stands, from 0 (lowest) to 1 (highest); a click counts only for a movie
    that the reviewer has not reviewed. Lower `click` when people often leave the page of a movie at once."""
    purchase: Share = 0.75
    """The rating for which a purchase stands, from 0 (lowest) to 1 (highest); a purchase can raise the rating
    of an earlier review, but never lowers it. Raise `purchase` when a like needs a rating above three
    quarters of the scale."""
    dislike: Share = 0.0
    """The rating for which a dislike stands, from 0 (lowest) to 1 (highest); a dislike replaces every earlier
    review of the movie by the reviewer. Raise `dislike` when people often dislike movies without a strong
    reason."""


@dataclass(frozen=True, kw_only=True)
class IndexConfig(_Section):
    """Says how movie vectors are searched, and what share of the best movies the search must find."""

    kind: Annotated[str, one_of("auto", "flat", "ivf", "ivf-fp16", "ivf-sq8", "milvus")] = "auto"
    """The kind of vector index; with auto, the number of movies, the memory limit and the wanted recall
    decide the kind. Change `kind` to flat for exact search, to milvus for a vector database, or to the kind
    that suits your machine best."""
    uri: Annotated[str, DATABASE] = ""
    """The address of the vector database for the kind milvus; empty for an embedded database in the directory
    of the index. Set `uri` to use a Milvus server or cluster."""
    recall_floor: Share = 0.99
    """The share of the movies in a list made by scoring every movie that the two-stage search must find at
    least. Lower `recall_floor` for faster answers from a very large catalogue."""
    memory_limit: Annotated[str, MEMORY] = "1GB"
    """The most memory that the vectors of an index may take if `kind` is auto; ignored if only larger vectors
    reach the least recall that the setting `recall_floor` asks for. Lower `memory_limit` when questions are
    answered on a small machine."""


@dataclass(frozen=True, kw_only=True)
class ReportConfig(_Section):
    """Says when a build also trains baselines, with which the report compares the model."""

    baselines_up_to: Annotated[int, at_least(0)] = 200_000
    """The largest number of reviews for which a build also trains baselines for the report. Set
    `baselines_up_to` to 0 to build faster."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Holds all settings of a build, in sections."""

    seed: int = 42
    """The seed of every random choice; equal seeds and equal data give equal indexes. Change `seed` to see
    how much the metrics depend on chance."""
    ingest: IngestConfig = field(default_factory=IngestConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    sentiment: SentimentConfig = field(default_factory=SentimentConfig)
    relevance: RelevanceConfig = field(default_factory=RelevanceConfig)
    rating: RatingConfig = field(default_factory=RatingConfig)
    neighbours: NeighboursConfig = field(default_factory=NeighboursConfig)
    cold: ColdConfig = field(default_factory=ColdConfig)
    popularity: PopularityConfig = field(default_factory=PopularityConfig)
    feedback: FeedbackConfig = field(default_factory=FeedbackConfig)
    index: IndexConfig = field(default_factory=IndexConfig)
    report: ReportConfig = field(default_factory=ReportConfig)

    def to_dict(self) -> dict[str, Any]:
        """Returns all settings as plain values, which a manifest stores as JSON."""
        return to_mapping(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Config:
        """Makes a `Config` from a mapping that `to_dict` returned; missing settings get their defaults.

        The mapping `values` may come from an older version of the package.
        """
        kept = {
            section: {name: held[name] for name in held if f"{section}.{name}" not in GONE}
            if isinstance(held, Mapping)
            else held
            for section, held in values.items()
        }
        return from_mapping(cls, current(kept, warn=False))


def load_config(
    recipe: Path | None = None, assignments: Sequence[str] = (), overrides: Mapping[str, Any] | None = None
) -> Config:
    """Merges defaults, recipe, assignments and overrides into a checked `Config`; the later source wins.

    Args:
        recipe: the path of a TOML file with the settings that differ from the defaults; None for no recipe.
        assignments: texts such as `ingest.threads=2`, which the command-line option `--set` takes.
        overrides: values with dotted names as keys, such as `{"seed": 7, "ingest.where": "price < 10"}`, or a
            mapping of sections.

    Raises:
        ConfigError: a setting is unknown, fixed now, of the wrong type or out of range, or the recipe cannot
            be read.
    """
    layers = [_read_recipe(recipe)]
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        setting, value = parse_assignment(Config, f"{current_name(name.strip())}{separator}{text}")
        layers.append({setting: value})
    return Config.from_dict(merge(*(current(merge(layer)) for layer in (*layers, overrides or {}))))


def _read_recipe(recipe: Path | None) -> dict[str, Any]:
    if recipe is None:
        return {}
    try:
        return tomllib.loads(Path(recipe).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read the recipe {recipe}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The recipe {recipe} is not valid TOML: {error}") from error
