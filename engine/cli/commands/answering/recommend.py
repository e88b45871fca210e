"""Implements `engine recommend`: top lists for one reviewer, for everyone, for a group, and more."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from engine.cli.listing import Columns, is_for_people, judgement, print_list, say_if_short, say_variety
from engine.cli.options import (
    ALL_VARIANTS,
    BECAUSE,
    CARD,
    DIVERSITY,
    EXCLUDE,
    FORMAT,
    INDEX,
    NO_COLD,
    ON,
    ONLY,
    PATH,
    SHOW_VARIANTS,
    TITLE,
    VERBOSE,
    WHERE,
    K,
    columns_of,
    count,
    flag,
    option,
)
from engine.cli.terminal import MOST_SHOWN, on_one_line, print_json, say, start_logging
from engine.questions.arguments import FALLBACKS
from engine.responses import Response, audience, list_of_group, list_of_ratings, list_of_reviewer

if TYPE_CHECKING:
    from engine.answers import TopList


LIST_OPTIONS = (
    WHERE,
    NO_COLD,
    flag(["--include-seen"], help="List movies that the reviewer has reviewed, too."),
    ONLY,
    EXCLUDE,
    option(
        ["--min-rating"],
        type=float,
        metavar="STARS",
        help="List only movies whose predicted rating is at least this.",
    ),
    ALL_VARIANTS,
    option(
        ["--format-preference"],
        metavar="TEXT",
        help="Of the variants of a film list this one, such as blu-ray; otherwise the most reviewed one.",
    ),
    SHOW_VARIANTS,
    DIVERSITY,
    option(
        ["--novelty"],
        type=click.FloatRange(0, 1),
        default=0.0,
        metavar="0..1",
        help="Lean away from bestsellers; at 1 few reviews count as much as a high score.",
    ),
    BECAUSE,
)
"""The options of commands that make recommendation lists; each option is named after a field of
`ListArguments`."""
FALLBACK = option(
    ["--fallback"],
    type=click.Choice(FALLBACKS),
    default="error",
    help="Fail for an unknown reviewer, or list what is popular these days.",
)
SHOWING = (columns_of("Recommendation"), CARD, *FORMAT, VERBOSE)
"""The options that decide how a recommendation list is printed."""


class Showing(NamedTuple):
    """Holds the values of the options `SHOWING`, which decide how a recommendation list is printed."""

    columns: Columns | None
    cards: bool
    format: str

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Showing:
        """Takes the options `SHOWING` out of the options of a command; returns the values of `SHOWING`."""
        return cls(*(options.pop(name) for name in cls._fields))


@click.group()
def recommend() -> None:
    """Recommend movies to someone."""


@recommend.command(
    params=[
        click.Argument(["reviewer_id"]),
        *(INDEX, K, *LIST_OPTIONS),
        FALLBACK,
        *SHOWING,
    ]
)
def reviewer(reviewer_id: str, index: Path, k: int, **options: Any) -> None:
    """List the movies that suit a reviewer best, most suitable first.

    The list shows, for each movie, the predicted rating and the chance that the reviewer likes the movie.
    """
    from engine.recommender import Engine

    showing = Showing.taken_from(options)
    items = Engine.load(index).recommend(reviewer_id, k, **options)
    if items.fallback is not None:
        say(f"The index does not know reviewer {reviewer_id!r}; these movies are popular.", err=True)
    _print(items, k, lambda: list_of_reviewer(reviewer_id, k, items), showing)


@recommend.command(
    params=[
        click.Argument(["movies"], nargs=-1, metavar="MOVIE=RATING..."),
        option(
            ["--from-file"],
            type=PATH,
            metavar="FILE",
            help="Read ratings from a file first, oldest first: lines movie_id,rating or MOVIE=RATING.",
        ),
        option(
            ["--title", "titles"],
            multiple=True,
            metavar="TEXT=RATING",
            help="Rate a movie by a piece of its title, such as 'blade runner=5', after the other ratings. "
            "May be given several times.",
        ),
        *(INDEX, K, *LIST_OPTIONS, *SHOWING),
    ]
)
def ratings(
    movies: tuple[str, ...],
    from_file: Path | None,
    titles: tuple[str, ...],
    index: Path,
    k: int,
    **options: Any,
) -> None:
    """List the movies that suit a newcomer best, from the newcomer's ratings alone.

    Give the oldest rating first; if a movie is given twice, the later rating counts. If the index was built
    from data without ratings, give only the ids of the movies.
    """
    from engine.cli.title_option import movie_id_of
    from engine.questions.ratings import join_ratings, parse_pairs, read_ratings
    from engine.recommender import Engine

    showing = Showing.taken_from(options)
    given = join_ratings({} if from_file is None else read_ratings(from_file), parse_pairs(movies))
    engine = Engine.load(index)
    named = {
        movie_id_of(engine, None, text, showing.format): rating
        for text, rating in parse_pairs(titles).items()
    }
    given = join_ratings(given, named)
    items = engine.recommend_for(given, k, **options)
    unknown = [movie_id for movie_id in given if not engine.holds_movie(movie_id)]
    _print(items, k, lambda: list_of_ratings(given, unknown, k, items), showing)


@recommend.command(
    params=[
        click.Argument(["reviewer_ids"], nargs=-1, required=True, metavar="REVIEWER_ID..."),
        option(
            ["--strategy"],
            type=click.Choice(["average", "least-misery"]),
            default="average",
            help="Score a movie by the mean of the members' scores, or by the lowest of them.",
        ),
        *(INDEX, K, *LIST_OPTIONS, *SHOWING),
    ]
)
def group(reviewer_ids: tuple[str, ...], strategy: str, index: Path, k: int, **options: Any) -> None:
    """List the movies that suit several reviewers together, such as a household.

    A movie that any reviewer of the group has reviewed counts as seen. Each reviewer's scores are normalised
    to the same mean and standard deviation, so that every reviewer has the same influence.
    """
    from engine.recommender import Engine

    showing = Showing.taken_from(options)
    items = Engine.load(index).recommend_group(reviewer_ids, k, strategy=strategy, **options)
    _print(items, k, lambda: list_of_group(reviewer_ids, strategy, k, items), showing)


def _print(items: TopList, k: int, response: Callable[[], Response], showing: Showing) -> None:
    usual: Columns = {"#": "rank", "movie": "movie_id", "title": "title", **judgement(items)}
    if any(movie.variants is not None for movie in items):
        usual = {**usual, "variants": "variants"}
    print_list(items, usual, showing.format, response, chosen=showing.columns, cards=showing.cards)
    if is_for_people(showing.format):
        say_variety(items.variety)
        say_if_short(len(items), k)


@recommend.command(
    name="movie",
    params=[
        click.Argument(["movie_id"], required=False),
        *(TITLE, INDEX, K, BECAUSE, columns_of("LikelyReviewer"), *FORMAT, VERBOSE),
    ],
)
def recommend_movie(
    movie_id: str | None,
    title: str | None,
    index: Path,
    k: int,
    because: bool,
    columns: Columns | None,
    format: str,
) -> None:
    """List the reviewers who are most likely to review and like a movie, most likely first.

    Reviewers who have reviewed the movie are left out. The other reviewers are sorted by their score of the
    movie, the score that engine recommend reviewer computes for a reviewer and a movie.
    """
    from engine.cli.title_option import movie_id_of
    from engine.recommender import Engine

    engine = Engine.load(index)
    movie_id = movie_id_of(engine, movie_id, title, format)
    found = engine.reviewers_for(movie_id, k, because=because)
    whole_title = engine.title(movie_id)
    if is_for_people(format):
        say(on_one_line(f"To tell about {(whole_title or movie_id)[:MOST_SHOWN]}:"), err=True)
    usual: Columns = {"#": "rank", "reviewer": "reviewer_id", **judgement(found)}
    print_list(found, usual, format, lambda: audience(movie_id, whole_title, k, found), chosen=columns)
    if is_for_people(format):
        say_if_short(len(found), k, "reviewer")


@recommend.command(
    name="all",
    params=[
        INDEX,
        option(
            ["--output"],
            required=True,
            metavar="DIR|URL|FILE",
            help="Write into a directory or remote storage such as s3://bucket/lists, a file every so many "
            "reviewers, or into one file that ends with .parquet, .csv or .jsonl.",
        ),
        option(
            ["--format"],
            metavar="FORMAT",
            help="Write parquet, the default, csv or jsonl; a file's ending says it too.",
        ),
        option(
            ["--reviewers"],
            type=PATH,
            metavar="FILE",
            help="Write the lists of these reviewers only: a file with one id a line.",
        ),
        option(
            ["--shard-size"],
            type=count,
            default=20_000,
            metavar="N",
            help="Put this many reviewers in a file.",
        ),
        option(
            ["--processes"],
            type=count,
            metavar="N",
            help="Use this many processes, or workers of Ray; by default one a core.",
        ),
        *ON,
        flag(
            ["--overwrite"],
            help="Replace an output file that is there, or lists that were begun with other options.",
        ),
        *(K, *LIST_OPTIONS, FALLBACK),
        flag(["--json", "as_json"], help="Print as JSON what was written."),
        VERBOSE,
    ],
)
def everyone(index: Path, output: str, processes: int | None, as_json: bool, **options: Any) -> None:
    """Write the top lists of all reviewers to files, one line per listed movie.

    If the command is killed, run the same command again to write the missing files. If the index was built
    again after the command was killed, the command writes all files again. If the output directory holds
    lists that were made with other options, the command fails unless --overwrite is given.
    """
    start_logging(logging.INFO)
    from pipelines.batch.recommend_all import recommend_all

    summary = recommend_all(index, output, processes=processes or 0, **options)
    if as_json:
        print_json(summary)
    else:
        counts = f"{summary['num_rows']:,} lines for {summary['num_reviewers']:,} reviewers"
        say(f"{counts} in {summary['output']}")
