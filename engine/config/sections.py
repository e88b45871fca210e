"""Defines all settings of a build: the default, the range, the meaning, and when to change the setting."""

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
    """Checks each setting of a section against the rules in the type annotation of the setting."""

    def __post_init__(self) -> None:
        check_rules(type(self).__name__.removesuffix("Config").lower(), self)


@dataclass(frozen=True, kw_only=True)
class IngestConfig(_Section):
    """Says how the source files are read, and which reviews and movies are kept."""

    format: Annotated[str, one_of("auto", "amazon", "movielens", "table")] = "auto"
    """The format of the files that a build reads; with auto, the engine recognises the format of each file.
    Change `format` when auto takes a file for another format."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Maps the engine's names, such as reviewer, movie, rating and time, to the names of columns in tables,
    or of fields in JSON; an empty name means that no column is read. Give `columns` when a file has names
    that the engine does not recognise; for example, {"reviewer": "who", "movie": "what.id", "time": ""} reads
    the reviewer from the column who, the movie from the field id within the field what, and no times."""
    no_header: bool = False
    """Read the first line of a table of reviews as a review, and not as the names of the columns. Turn
    `no_header` on when a table has no line of column names, and name the columns by number in `columns`."""
    ratings: Annotated[str, one_of("auto", "stars", "counts")] = "auto"
    """The kind of numbers in the column of ratings: stars on a scale, or counts such as plays or hours, of
    which the higher half are likes; with auto, the engine recognises the kind from the numbers. Change
    `ratings` when a warning shows that stars were mistaken for counts."""
    time_format: Annotated[str | None, TIME_FORMAT] = None
    """The notation of times in the files; by default, the engine recognises the notation from the times in
    each file. Give `time_format` when a warning says that dates can be read in two ways, or that times cannot
    be read."""
    where: str | None = None
    """An SQL condition on the columns of the prepared reviews; only reviews that meet the condition are kept.
    Give `where` to build an index from some of the reviews, such as the reviews of one category."""
    since: Annotated[str | None, DAY] = None
    """The first day from which reviews are kept; reviews from earlier days are dropped. Give `since` when old
    reviews no longer say what people like."""
    until: Annotated[str | None, DAY] = None
    """The last day from which reviews are kept; reviews from later days are dropped. Give `until` to build
    the index that a build on an earlier day would have made."""
    verified_only: bool = False
    """Keep only reviews of verified purchases. Turn `verified_only` on when reviews without a verified
    purchase cannot be trusted."""
    min_reviews_per_reviewer: Count = 2
    """The least number of reviews of each reviewer; reviewers with fewer reviews are dropped, again and
    again, until every remaining reviewer and movie has enough reviews. Raise `min_reviews_per_reviewer` to
    train faster on active reviewers alone; set 1 to drop no reviewer."""
    min_reviews_per_movie: Count = 2
    """The least number of reviews of each movie; movies with fewer reviews are dropped, again and again,
    until every remaining reviewer and movie has enough reviews. Raise `min_reviews_per_movie` to train
    without rarely reviewed movies; set 1 to drop no movie."""
    allow_truncated: bool = False
    """Use the readable part of a compressed file whose end is missing. Turn `allow_truncated` on when nobody
    has the missing end of the file any more."""
    memory_limit: Annotated[str, MEMORY] = "4GB"
    """The amount of memory that DuckDB fills before it writes intermediate results to disk; small files need
    less memory. Lower `memory_limit` on a small machine; raise `memory_limit` when DuckDB writes intermediate
    results to disk."""
    threads: Annotated[int, at_least(0, 1024)] = 0
    """The number of threads of DuckDB, FAISS and TensorFlow; 0 means one thread per core. Lower `threads` to
    leave processor cores to other programs."""

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
    """Says which reviews are held out of training, to measure a build and to choose the weights in scores."""

    test_share: Annotated[float, at_least(0.0, 0.5)] = 0.2
    """The share of each reviewer's reviews that is held out to measure a build; the latest reviews are held
    out. Set `test_share` to 0 when you know the metrics already, to leave out the training that only
    measures."""
    max_holdouts: Annotated[int, at_least(1, 20)] = 4
    """The largest number of trainings in which reviews are held out, to choose the number of training rounds
    and the weights of the parts of a score; a build does one such training if about 670 likes or more are
    held out. Set `max_holdouts` to 1 to build a small index faster."""
    order: Annotated[str, one_of("auto", "time", "none")] = "auto"
    """Whether the times of reviews count: with time, the latest reviews are held out, and older reviews weigh
    less; with none, random reviews are held out, and all reviews weigh the same; auto means time if the data
    has times, otherwise none. Change `order` to none when the times in the data say when reviews were stored,
    and not when reviews were written."""


@dataclass(frozen=True, kw_only=True)
class SentimentConfig(_Section):
    """Says how the sentiment of review texts changes the ratings that the model learns from."""

    use: bool = False
    """Score the text of each review with an English lexicon of sentiment, and average this score with the
    stars. Turn `use` on when `engine evaluate --sentiment` finds that predictions improve."""
    weight: Share = 0.3
    """The weight of the score of a review's text in the average with the stars, whose weight is 1 minus this
    weight. Raise `weight` when nearly all reviews have the same stars."""


@dataclass(frozen=True, kw_only=True)
class RelevanceConfig(_Section):
    """Sets the size and training of the relevance head, which predicts whether a reviewer reviews a movie."""

    embedding_dim: Annotated[int, at_least(1, 4096)] = 64
    """The number of dimensions of the vectors of reviewers and movies; the bias of a movie is not counted.
    Lower `embedding_dim` to save memory and time; raise `embedding_dim` for many millions of reviews, or
    search a value with `engine tune`."""
    reviewer_embeddings: Annotated[str, one_of("learned", "none")] = "learned"
    """How the vector of a reviewer is computed: with learned, as a learned embedding of the reviewer plus the
    vector of the reviewer's history; with none, as the vector of the history alone. Change
    `reviewer_embeddings` to none when the embeddings of very many reviewers need too much memory or disk
    space."""
    memory_limit: Annotated[str, MEMORY] = "4GB"
    """The largest amount of memory for the embeddings of reviewers, and for the optimizer's means of their
    gradients, in training; larger embeddings are kept in a file and used block by block, with the same
    result. Raise `memory_limit` on a machine with much memory; lower `memory_limit` on a small machine."""
    num_parts: Annotated[int, at_least(1, 1024)] = 1
    """The number of groups into which training divides the reviewers; on Ray, each group has a worker of its
    own, which alone holds the embeddings of the group's reviewers. Raise `num_parts` to the number of
    machines when one machine is too small or too slow."""
    recency_power: Annotated[float, at_least(0.0, 4.0)] = 0.4
    """How fast the weight of a reviewer's older reviews falls: the n-th last review weighs n **
    -recency_power. Raise `recency_power` when preferences change quickly, or search a value with `engine
    tune`."""
    num_members: Count = 2
    """The number of relevance heads that are trained with different seeds, and whose scores are averaged;
    with more than 200,000 reviews, only one head is trained. Set `num_members` to 1 to halve the time of
    training; raise `num_members` for lists that depend less on the seed."""
    max_history: Count = 500
    """The largest number of reviews from which a reviewer's vector is computed; the latest reviews are used.
    Lower `max_history` when a few reviewers with thousands of reviews make training slow."""
    other_weight: Share = 0.3
    """The weight, in training, of a review that is not a like; a like weighs 1. Lower `other_weight` when
    lists should hold movies that people like, and not movies that people only watch; or search a value with
    `engine tune`."""
    max_rounds: Count = 40
    """The largest number of training rounds of the relevance head. Lower `max_rounds` for a quick trial;
    raise `max_rounds` when the learning curve in the report still rises in the last rounds."""
    learning_rate: Annotated[float, at_least(0.0, 10.0)] = 0.005
    """The learning rate of the relevance head; each training step is divided by the root mean square of past
    gradients. Lower `learning_rate` when a build reports a loss that is not finite, or search a value with
    `engine tune`."""
    dropout: Annotated[float, at_least(0.0, 0.95)] = 0.5
    """The share of the numbers in a reviewer's vector that training sets to zero at random (dropout). Raise
    `dropout` for few reviews; lower `dropout` for very many reviews; or search a value with `engine tune`."""
    l2: Penalty = 1e-4
    """The weight of the L2 penalty on the vectors of the relevance head, in the loss. Raise `l2` for few
    reviews; lower `l2` for very many reviews; or search a value with `engine tune`."""
    num_negatives: Count = 4096
    """The number of movies that are drawn as negatives (movies not chosen) for each training step, if the
    catalogue has more than 8,192 movies. Lower `num_negatives` to train faster; raise `num_negatives` for
    better lists from a very large catalogue."""


@dataclass(frozen=True, kw_only=True)
class RatingConfig(_Section):
    """Sets the size and training of the rating head, which predicts the chance of each rating level."""

    dim: Annotated[int, at_least(1, 4096)] = 32
    """The number of dimensions of the vectors of reviewers and movies in the rating head. Lower `dim` to save
    memory and time, or search a value with `engine tune`."""
    hidden_units: Annotated[tuple[int, ...], at_least(1, 65536)] = (32,)
    """The numbers of units in the hidden layers of the rating head's multilayer perceptron (MLP), one number
    for each layer. Raise the numbers, or add layers, when the data has very many ratings."""
    like_rating: float | None = None
    """The lowest rating that counts as a like; by default, the rating at three quarters of the scale, such as
    4 on a scale of 1 to 5 stars. Give `like_rating` when the lowest rating that means
    a like is not at three quarters of the scale."""
    max_rounds: Count = 18
    """The largest number of training rounds of the rating head. Lower `max_rounds` for a quick trial; raise
    `max_rounds` when the learning curve in the report still rises in the last rounds."""
    learning_rate: Annotated[float, at_least(0.0, 10.0)] = 0.005
    """The learning rate of the rating head in the first training round; in later rounds, the learning rate
    falls linearly to zero. Lower `learning_rate` when a build reports a loss that is not finite."""
    dropout: Annotated[float, at_least(0.0, 0.95)] = 0.2
    """The share of the inputs of the rating head's MLP that training sets to zero at random (dropout). Raise
    `dropout` for few ratings; lower `dropout` for very many ratings."""
    l2: Penalty = 0.6
    """The weight of the L2 penalty on the vectors of the rating head, in the loss of each review. Raise `l2`
    for few ratings; lower `l2` for very many ratings; or search a value with `engine tune`."""


@dataclass(frozen=True, kw_only=True)
class NeighboursConfig(_Section):
    """Sets the sizes of the neighbour tables, which say for each movie which movies are similar."""

    num_neighbours: Count = 200
    """The number of similar movies that each neighbour table keeps for each movie. Lower `num_neighbours`
    when the index takes too much disk space, or when the build takes too long."""
    linear_up_to: Annotated[int, at_least(0)] = 10_000
    """The largest number of movies for which a build tries a linear model of all pairs of movies; if there
    are more movies, a build tries a smaller linear model, which relates a movie only to the movies that share
    the most reviewers with the movie. Lower `linear_up_to` when the linear model of all pairs needs too much
    memory, which grows with the square of the number of movies, or too much time, which grows with the
    cube."""
    linear_l2: Annotated[float, at_least(1e-3)] = 100.0
    """The L2 penalty of the linear model of all pairs of movies; a build also tries multiples of the penalty
    on held-out likes. Change `linear_l2` to the value that `engine tune` finds."""
    num_content_neighbours: Annotated[int, at_least(0)] = 100
    """The number of movies with similar metadata that a build tries as neighbours of each movie. Set
    `num_content_neighbours` to 0 when movies with similar metadata do not please the same people."""


@dataclass(frozen=True, kw_only=True)
class ColdConfig(_Section):
    """Says how cold movies enter the index; a cold movie has metadata, but too few reviews to train on."""

    enabled: bool = True
    """Take cold movies into the index; their vectors are predicted from metadata. Turn `enabled` off when
    lists should hold only reviewed movies, and when you will not use `engine add-movies`."""
    max_reviews: Annotated[int, at_least(0)] = 1
    """The largest number of reviews that a cold movie may have; a movie with more reviews, but too few to
    train on, is left out of the index. When you raise `ingest.min_reviews_per_movie`, also raise
    `max_reviews`, to keep movies with too few reviews for training in the index as cold movies."""
    doubt: Annotated[float, at_least(0)] = 1.0
    """The number of standard errors that is subtracted from the predicted relevance of a cold movie; a
    standard error says how unsure the prediction from metadata is. Lower `doubt` to list more new movies,
    whose scores are less certain."""


@dataclass(frozen=True, kw_only=True)
class PopularityConfig(_Section):
    """Says how the popularity of movies is computed; unknown reviewers get the most popular movies."""

    half_life_days: Annotated[float, at_least(0.01)] = 1000.0
    """The age, in days, of a review that counts half as much as a new review in the popularity of a movie.
    Lower `half_life_days` when movies stay popular for a short time only."""


@dataclass(frozen=True, kw_only=True)
class FeedbackConfig(_Section):
    """Says which rating a click, a purchase or a dislike stands for, from 0 (lowest) to 1 (highest)."""

    click: Share = 0.5
    """The rating for which a click stands, from 0 (lowest) to 1 (highest); a click on a movie that the
    reviewer has reviewed does not count. Lower `click` when people often leave the page of a movie after a
    few seconds."""
    purchase: Share = 0.75
    """The rating for which a purchase stands, from 0 (lowest) to 1 (highest); a purchase replaces an earlier
    review of the movie only if the purchase stands for a higher rating. Raise `purchase` when a rating of
    0.75 is not a like in your data, but a purchase should count as a like."""
    dislike: Share = 0.0
    """The rating for which a dislike stands, from 0 (lowest) to 1 (highest); a dislike replaces the
    reviewer's earlier review of the movie. Raise `dislike`, so that a dislike counts as a less bad rating,
    when people often dislike movies without a strong reason."""


@dataclass(frozen=True, kw_only=True)
class IndexConfig(_Section):
    """Says how movie vectors are searched, and what share of the best movies the search must find."""

    kind: Annotated[str, one_of("auto", "flat", "ivf", "ivf-fp16", "ivf-sq8", "milvus")] = "auto"
    """The kind of vector index; with auto, the kind depends on the number of movies, the memory limit and the
    wanted recall. Change `kind` to flat for exact search, to milvus for a vector database, or to the kind
    that is fastest on your machine."""
    uri: Annotated[str, DATABASE] = ""
    """The address of the vector database if `kind` is milvus; empty for an embedded database in the directory
    of the index. Set `uri` to use a Milvus server or cluster."""
    recall_floor: Share = 0.99
    """The least share of the best movies, as found by scoring every movie, that the two-stage search must
    find. Lower `recall_floor` for faster answers from a very large catalogue, whose lists then miss more of
    the best movies."""
    memory_limit: Annotated[str, MEMORY] = "1GB"
    """The largest amount of memory for the vectors of an index if `kind` is auto; more memory is used if only
    larger vectors reach the recall that `recall_floor` demands. Lower `memory_limit` when the machine that
    answers questions has too little memory for the vectors."""


@dataclass(frozen=True, kw_only=True)
class ReportConfig(_Section):
    """Says when a build also trains baselines (simple models), with which the report compares the model."""

    baselines_up_to: Annotated[int, at_least(0)] = 200_000
    """The largest number of reviews for which a build also trains baselines (simple models) for the report.
    Set `baselines_up_to` to 0 to train no baselines, which makes a build faster."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Holds all settings of a build, in sections."""

    seed: int = 42
    """The seed of every random choice; builds with equal seeds and equal data make equal indexes. Change
    `seed` to see how much the metrics depend on chance."""
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
        """Returns all settings as plain values, which a manifest can store as JSON."""
        return to_mapping(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Config:
        """Makes a `Config` from a mapping that `to_dict` returned; a missing setting gets its default.

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
    """Merges settings from several sources into a checked `Config`.

    A value in the recipe (a file of settings) replaces the default of a setting. A value in `assignments`
    replaces a value in the recipe, and a value in `overrides` replaces a value from any other source.

    Args:
        recipe: the path of a TOML file with the settings that differ from the defaults; None for no recipe.
        assignments: texts such as `ingest.threads=2`, as the command-line option `--set` takes them.
        overrides: settings with dotted names as keys, such as `{"seed": 7, "ingest.where": "price < 10"}`, or
            settings in sections, such as `{"ingest": {"where": "price < 10"}}`.

    Raises:
        ConfigError: a setting is unknown; a setting no longer exists; a setting has the wrong type; a setting
            is out of range; the recipe (the file of settings) cannot be read.
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
