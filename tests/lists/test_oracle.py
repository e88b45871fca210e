"""Every option of a list, alone and together, against an oracle that scores and tries every movie."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from small_shop import NUM_MOVIES, NUM_REVIEWERS, Movie, World, open_shop

from engine.model.scorer import ALL
from engine.model.values import Reviewer
from engine.questions.arguments import ListOptions

CONDITIONS: dict[str, Callable[[Movie], bool]] = {
    "price < 12": lambda movie: movie["price"] is not None and movie["price"] < 12,
    "year >= 1990 and movie_count > 20": lambda movie: movie["year"] >= 1990 and movie["movie_count"] > 20,
    "title ilike '%blu%' or price is null": lambda movie: "Blu" in movie["title"] or movie["price"] is None,
    "movie_id = 'M007'": lambda movie: movie["movie_id"] == "M007",
    "price > 1000": lambda movie: False,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    shop = open_shop(tmp_path_factory.mktemp("shop"))
    yield shop
    shop.catalogue.close()


def let_in(world: World, reviewer: Reviewer, options: ListOptions) -> list[int]:
    """The movies that meet every condition, tried one by one."""
    seen = set(reviewer.history.movie_rows.tolist())
    if not options.all_variants:
        seen_films = {world.films[row] for row in seen}
        seen = {row for row in range(NUM_MOVIES) if world.films[row] in seen_films}
    means = world.model.rating.summarize(world.model.rate(reviewer, ALL)).mean
    rows = []
    for row, movie in enumerate(world.movies):
        if options.where is not None and not CONDITIONS[options.where](movie):
            continue
        if options.only is not None and movie["movie_id"] not in options.only:
            continue
        if options.exclude is not None and movie["movie_id"] in options.exclude:
            continue
        if not options.include_seen and row in seen:
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
    min_rating=st.none() | st.floats(1, 5) | st.floats(2.2, 3.6),
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
