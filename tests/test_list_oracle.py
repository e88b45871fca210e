"""Every option of a list, alone and together, against an oracle that scores and tries every movie."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.artifact import Artifact
from engine.artifact_writer import ArtifactWriter
from engine.candidates import CandidateSource
from engine.cards import MovieCards
from engine.catalog import CATALOG_FILE, Catalog
from engine.histories import Histories, History
from engine.ids import IdTable, build_id_arrays
from engine.list_options import ListOptions
from engine.lists import ListMaker
from engine.neighbours import NeighbourTable
from engine.rating_head import RatingHead
from engine.relevance_head import RelevanceHead
from engine.scorer import ALL, Blend, Model, Reviewer
from engine.variants import Variants, build_variant_arrays
from indexes.exact import ExactIndex
from pipelines.catalog import write_catalog

NUM_MOVIES, NUM_FILMS, NUM_REVIEWERS, DIM = 300, 230, 9, 6
LEVELS = np.arange(1, 6, dtype=np.float32)
FORMATS = ("", " [Blu-ray]", " [DVD]", " VHS", " (Special Edition) [Blu-ray]")

Movie = dict[str, Any]
CONDITIONS: dict[str, Callable[[Movie], bool]] = {
    "price < 12": lambda movie: movie["price"] is not None and movie["price"] < 12,
    "year >= 1990 and movie_count > 2": lambda movie: movie["year"] >= 1990 and movie["movie_count"] > 2,
    "title ilike '%blu%' or price is null": lambda movie: "Blu" in movie["title"] or movie["price"] is None,
    "movie_id = 'M007'": lambda movie: movie["movie_id"] == "M007",
    "price > 1000": lambda movie: False,
}


class World:
    """A small shop: its movies, its model, and two ways to ask it for lists.

    `exact` takes every movie for a candidate, `narrow` the nearest five. No dataclass, for Hypothesis
    prints its fields.
    """

    def __init__(
        self,
        movies: list[Movie],
        films: np.ndarray,
        counts: np.ndarray,
        model: Model,
        exact: ListMaker,
        narrow: ListMaker,
    ) -> None:
        self.movies, self.films, self.counts, self.model = movies, films, counts, model
        self.exact, self.narrow = exact, narrow

    def reviewer(self, number: int) -> Reviewer:
        if number < NUM_REVIEWERS:
            return self.model.reviewer(number)
        return self.model.reviewer(None, History(np.array([5, 90], np.int32), np.array([4, 1], np.int8)))


def random_table(generator: np.random.Generator) -> NeighbourTable:
    present = generator.random((NUM_MOVIES, NUM_MOVIES)) < 0.03
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    weights = generator.random(int(present.sum())).astype(np.float32)
    return NeighbourTable(offsets, np.nonzero(present)[1].astype(np.int32), weights)


def random_model(generator: np.random.Generator) -> Model:
    def normal(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    lengths = np.array([0, 1, 4, 9, 20, 3, 7, NUM_MOVIES, 30])  # one has seen nothing, one everything
    movies = np.concatenate([generator.permutation(NUM_MOVIES)[:length] for length in lengths])
    return Model(
        relevance=RelevanceHead(
            movie_vectors=normal(NUM_MOVIES, DIM + 1),
            history_vectors=normal(NUM_MOVIES, DIM),
            reviewer_embeddings=normal(NUM_REVIEWERS, DIM),
            level_weights=normal(5),
            recency_power=0.4,
            max_history=8,
        ),
        rating=RatingHead(
            levels=LEVELS,
            movie_vectors=normal(NUM_MOVIES, DIM + 2),
            history_vectors=normal(NUM_MOVIES, 2 * DIM) / 2,
            reviewer_biases=normal(NUM_REVIEWERS, 2) / 2,
            baselines=3 + normal(NUM_MOVIES) / 2,
            thresholds=np.array([-2, -1, 0, 1], np.float32),
            dot_weights=normal(DIM),
            kernels=[normal(3 * DIM, 4) / 2, normal(4, 2) / 2],
            biases=[normal(4), normal(2)],
        ),
        neighbours=random_table(generator),
        linear_neighbours=None,
        rating_neighbours=random_table(generator),
        histories=Histories(
            np.concatenate([[0], np.cumsum(lengths)]),
            movies.astype(np.int32),
            generator.integers(0, 5, len(movies)).astype(np.int8),
        ),
        blend=Blend(like_rating=4.0, neighbour_weight=0.7, like_weight=0.5, rating_neighbour_weight=0.3),
    )


def random_movies(generator: np.random.Generator, films: np.ndarray, counts: np.ndarray) -> list[Movie]:
    return [
        {
            "movie_row": row,
            "movie_id": f"M{row:03d}",
            "title": f"Film {films[row]}{FORMATS[row % len(FORMATS)]}",
            "price": None if row % 11 == 0 else float(generator.integers(2, 30)),
            "year": int(generator.integers(1950, 2020)),
            "movie_count": int(counts[row]),
        }
        for row in range(NUM_MOVIES)
    ]


def write_movies(movies: list[Movie], directory: Path) -> Artifact:
    connection = duckdb.connect()
    connection.execute(
        "create table movies (movie_row integer, movie_id varchar, title varchar, price double, "
        "year integer, movie_count integer, category varchar, main_cat varchar, description varchar, "
        "brand varchar, rank integer, date varchar, links varchar[], average_rating double)"
    )
    connection.executemany(
        "insert into movies (movie_row, movie_id, title, price, year, movie_count) values (?, ?, ?, ?, ?, ?)",
        [list(movie.values()) for movie in movies],
    )
    with ArtifactWriter(directory) as writer:
        write_catalog(connection, writer)
    return Artifact.open(directory)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    generator = np.random.default_rng(3)
    model = random_model(generator)
    films = np.concatenate([np.arange(NUM_FILMS), generator.integers(0, 40, NUM_MOVIES - NUM_FILMS)])
    films = generator.permutation(films)
    counts = np.bincount(model.histories.movie_rows, minlength=NUM_MOVIES)
    movies = random_movies(generator, films, counts)
    artifact = write_movies(movies, tmp_path_factory.mktemp("shop"))
    catalog = Catalog(artifact.file(CATALOG_FILE))
    index = ExactIndex(model.relevance.movie_vectors)
    makers = [
        ListMaker(
            model,
            CandidateSource(model, index, num_candidates),
            IdTable(*build_id_arrays([movie["movie_id"] for movie in movies])),
            MovieCards(artifact.array("movie_cards"), artifact.array("movie_card_offsets")),
            catalog,
            Variants(*build_variant_arrays(films).values()),
            counts.astype(np.int32),
        )
        for num_candidates in (NUM_MOVIES, 5)
    ]
    yield World(movies, films, counts, model, *makers)
    catalog.close()


def let_in(world: World, reviewer: Reviewer, options: ListOptions) -> list[int]:
    """The movies that meet every condition, tried one by one."""
    seen_films = {world.films[row] for row in reviewer.history.movie_rows}
    scores = world.model.rescore(reviewer, ALL)
    means = scores.probabilities @ LEVELS.astype(np.float64)
    rows = []
    for row, movie in enumerate(world.movies):
        if options.where is not None and not CONDITIONS[options.where](movie):
            continue
        if options.only is not None and movie["movie_id"] not in options.only:
            continue
        if options.exclude is not None and movie["movie_id"] in options.exclude:
            continue
        if not options.include_seen and world.films[row] in seen_films:
            continue
        if options.min_rating is not None and means[row] < options.min_rating:
            continue
        rows.append(row)
    return rows


def one_of_each_film(world: World, rows: list[int], options: ListOptions) -> list[int]:
    def standing(row: int) -> tuple[bool, int, int]:
        wanted = (options.format_preference or "").replace("-", "")
        has_format = bool(wanted) and wanted in world.movies[row]["title"].casefold().replace("-", "")
        return (has_format, world.counts[row], -row)

    films = {world.films[row] for row in rows}
    return sorted(max((row for row in rows if world.films[row] == film), key=standing) for film in films)


def cosine(world: World, first: int, second: int) -> float:
    one, other = (world.model.relevance.movie_vectors[row, :-1].astype(float) for row in (first, second))
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


def mean_unlikeness(world: World, rows: list[int]) -> float:
    pairs = [(first, second) for place, first in enumerate(rows) for second in rows[:place]]
    return float(np.mean([1 - cosine(world, *pair) for pair in pairs])) if pairs else 0.0


def varied(world: World, pool: list[int], score: dict[int, float], k: int, options: ListOptions) -> list[int]:
    """Chooses k of the pool by hand: penalised by fame, then one list a trade-off, then the best of these."""
    if not pool:
        return []
    fame = np.array([np.log(1 + world.counts[row]) for row in pool])
    plain = np.array([score[row] for row in pool])
    leaned = dict(zip(pool, plain, strict=True))
    if options.novelty and fame.std() > 1e-9:
        penalty = options.novelty * plain.std() / fame.std() * (fame - fame.mean())
        leaned = dict(zip(pool, plain - penalty, strict=True))
    pool = sorted(pool, key=lambda row: (-leaned[row], pool.index(row)))
    if not options.diversity or k >= len(pool):
        return pool[:k]
    low, high = leaned[pool[-1]], leaned[pool[0]]
    gain = {row: (leaned[row] - low) / (high - low) if high > low else 0.0 for row in pool}
    lists = []
    for trade_off in np.linspace(0, 1, 11):
        chosen: list[int] = []
        nearest = dict.fromkeys(pool, 0.0)
        while len(chosen) < k:
            left = [row for row in pool if row not in chosen]
            best = max(left, key=lambda row: (1 - trade_off) * gain[row] - trade_off * nearest[row])
            for row in left:
                likeness = cosine(world, row, best)
                nearest[row] = max(nearest[row], likeness) if chosen else likeness
            chosen.append(best)
        lists.append(sorted(chosen, key=pool.index))
    means = np.array([np.mean([leaned[row] for row in rows]) for rows in lists])
    unlikeness = np.array([mean_unlikeness(world, rows) for rows in lists])
    spans = [
        (values - values.min()) / (np.ptp(values) if np.ptp(values) > 0 else 1)
        for values in (means, unlikeness)
    ]
    return lists[int(np.argmax((1 - options.diversity) * spans[0] + options.diversity * spans[1]))]


def oracle(world: World, reviewer: Reviewer, k: int, options: ListOptions) -> list[int]:
    rows = let_in(world, reviewer, options)
    if not options.all_variants:
        rows = one_of_each_film(world, rows, options)
    score = dict(enumerate(world.model.rescore(reviewer, ALL).score.astype(float).tolist()))
    best = sorted(rows, key=lambda row: (-score[row], row))
    if options.diversity or options.novelty:
        best = varied(world, best[: max(100, 5 * k)], score, k, options)
    return best[:k]


movie_ids = st.lists(st.integers(0, NUM_MOVIES - 1).map("M{:03d}".format), max_size=60)
list_options = st.builds(
    ListOptions,
    where=st.none() | st.sampled_from(list(CONDITIONS)),
    include_seen=st.booleans(),
    only=st.none() | movie_ids.filter(bool),
    exclude=st.none() | movie_ids | st.just([f"M{row:03d}" for row in range(250)]),
    min_rating=st.none() | st.floats(1, 5),
    all_variants=st.booleans(),
    format_preference=st.none() | st.sampled_from(["blu-ray", "vhs", "special edition", "betamax"]),
    show_variants=st.booleans(),
    diversity=st.just(0.0) | st.floats(0, 1),
    novelty=st.just(0.0) | st.floats(0, 1),
    because=st.just(False),
)
lengths = st.integers(1, 12) | st.sampled_from([40, 150, 400])


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(number=st.integers(0, NUM_REVIEWERS), k=lengths, options=list_options)
@example(number=2, k=5, options=ListOptions(because=False))
@example(number=4, k=10, options=ListOptions(diversity=0.6, novelty=0.4, min_rating=3.0, because=False))
@example(number=7, k=10, options=ListOptions(because=False))
def test_any_options_together_give_what_trying_every_movie_gives(
    world: World, number: int, k: int, options: ListOptions
) -> None:
    reviewer = world.reviewer(number)
    expected = oracle(world, reviewer, k, options)
    scores = world.model.rescore(reviewer, ALL).score
    (found,) = world.exact.make([reviewer], k, options)
    rows = [int(item.movie_id[1:]) for item in found]
    assert rows == expected
    np.testing.assert_allclose([item.score for item in found], scores[rows], atol=1e-4)
    assert [item.rank for item in found] == list(range(1, len(rows) + 1))
    assert (found.why_empty is None) == bool(rows)
    assert (found.variety is None) == (not rows or not (options.diversity or options.novelty))
    for row, item in zip(rows, found, strict=True):
        if not options.show_variants:
            assert item.variants is None
            continue
        others = set(np.flatnonzero(world.films == world.films[row]).tolist()) - {row}
        assert {int(other.movie_id[1:]) for other in item.variants or ()} == others


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(number=st.integers(0, NUM_REVIEWERS), k=lengths, options=list_options)
def test_few_candidates_never_make_a_list_short_or_let_a_wrong_movie_in(
    world: World, number: int, k: int, options: ListOptions
) -> None:
    reviewer = world.reviewer(number)
    (found,) = world.narrow.make([reviewer], k, options)
    rows = [int(item.movie_id[1:]) for item in found]
    expected = oracle(world, reviewer, k, options)
    assert len(rows) == len(set(rows)) == len(expected)
    allowed = let_in(world, reviewer, options)
    assert set(rows) <= set(allowed if options.all_variants else one_of_each_film(world, allowed, options))
    if options.where is not None or options.only is not None:
        assert rows == expected
    if not options.novelty:
        scores = [item.score for item in found]
        assert scores == sorted(scores, reverse=True)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(k=st.integers(1, 20), options=list_options)
def test_the_lists_of_many_are_those_of_each(world: World, k: int, options: ListOptions) -> None:
    reviewers = [world.reviewer(number) for number in range(NUM_REVIEWERS + 1)]
    for maker in (world.exact, world.narrow):
        together = maker.make(reviewers, k, options)
        for reviewer, found in zip(reviewers, together, strict=True):
            (alone,) = maker.make([reviewer], k, options)
            assert [item.movie_id for item in alone] == [item.movie_id for item in found]
            assert (alone.variety, alone.why_empty) == (found.variety, found.why_empty)


@pytest.mark.parametrize("k", [2, 5, 10, 25])
@pytest.mark.parametrize("novelty", [0.0, 0.5])
def test_more_diversity_never_gives_a_less_diverse_list_or_a_higher_score(
    world: World, k: int, novelty: float
) -> None:
    for number in range(NUM_REVIEWERS):
        reviewer = world.reviewer(number)
        diversities, losses = [], []
        for diversity in np.linspace(0, 1, 21):
            options = ListOptions(
                diversity=float(diversity), novelty=novelty, include_seen=True, because=False
            )
            (found,) = world.exact.make([reviewer], k, options)
            if found.variety is not None:
                diversities.append(found.variety.list_diversity)
                losses.append(found.variety.score_loss)
        assert (np.diff(diversities) >= -1e-9).all()
        assert diversities[-1] > diversities[0]
        if not novelty:
            assert (np.diff(losses) >= -1e-9).all()
            assert losses[-1] > losses[0] >= 0


def test_more_novelty_gives_less_reviewed_movies_and_lower_scores(world: World) -> None:
    for number in range(NUM_REVIEWERS):
        reviewer = world.reviewer(number)
        fames, scores = [], []
        for novelty in np.linspace(0, 1, 11):
            options = ListOptions(novelty=float(novelty), include_seen=True, because=False)
            (found,) = world.exact.make([reviewer], 10, options)
            fames.append(np.mean([np.log1p(item.card["movie_count"]) for item in found]))
            scores.append(np.mean([item.score for item in found]))
        assert (np.diff(fames) <= 1e-9).all()
        assert (np.diff(scores) <= 1e-6).all()
        assert fames[-1] < fames[0]
