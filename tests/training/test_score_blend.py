from dataclasses import replace

import numpy as np
import pytest
from random_models import LEVELS, random_model, random_table

from engine.config.sections import IngestConfig, NeighboursConfig
from engine.model.histories import Histories
from engine.model.neighbours import NeighbourTable
from engine.model.scorer import Model
from engine.model.values import Blend
from pipelines.dataset.reviews import Reviews, histories_of, make_reviews
from pipelines.dataset.splits import hold_out_last
from pipelines.neighbours.tables import CO_REVIEWS, NeighbourKind, build_neighbours
from pipelines.training import parts as parts_module
from pipelines.training import score_blend
from pipelines.training.one_model import TrainedModel
from pipelines.training.parts import Parts, figure_of, figures_of_grid
from pipelines.training.score_blend import choose_blend

NUM_REVIEWERS, NUM_MOVIES = 12, 50  # those of a random model
LINEAR, DAMPED = NeighbourKind("linear", 1.0), NeighbourKind("damped", 5.0)


def reviews_of_two_tastes() -> Reviews:
    generator = np.random.default_rng(0)
    movies = [
        generator.permutation(NUM_MOVIES // 2)[:12] + (row % 2) * (NUM_MOVIES // 2) for row in range(12)
    ]
    return make_reviews(
        np.repeat(np.arange(NUM_REVIEWERS), 12),
        np.concatenate(movies),
        np.full(12 * NUM_REVIEWERS, 5.0),
        np.arange(12 * NUM_REVIEWERS),
        num_reviewers=NUM_REVIEWERS,
        num_movies=NUM_MOVIES,
        levels=LEVELS,
    )


TRAIN, HELD_OUT = hold_out_last(reviews_of_two_tastes(), 0.25)
LIMITS = IngestConfig(memory_limit="500MB", threads=1)
TELLING = build_neighbours(TRAIN, Blend(), NeighboursConfig(), LIMITS, (LINEAR, DAMPED)).by_kind
NOTHING = NeighbourTable(np.zeros(NUM_MOVIES + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))


def trained(
    content: NeighbourTable | None = None,
    model: Model | None = None,
    successors: NeighbourTable | None = None,
    **telling: NeighbourKind,
) -> TrainedModel:
    """A random model with tables that say nothing, but for those of the names given."""
    model, histories = model or random_model(), histories_of(TRAIN)
    if model.rating is None:
        histories = Histories(histories.offsets, histories.movie_rows, np.zeros_like(histories.level_rows))
    model = replace(model, histories=histories, blend=Blend())
    names = {"co_reviews": CO_REVIEWS, "linear": LINEAR, "damped": DAMPED}
    tables = {kind: TELLING[telling[name]] if name in telling else NOTHING for name, kind in names.items()}
    return TrainedModel(model, tables, content, successors, {}, {})


def choose(*models: TrainedModel) -> tuple[Blend, NeighbourKind]:
    return choose_blend(models, [HELD_OUT] * len(models), seed=0)


@pytest.mark.parametrize(
    ("telling", "best"),
    [({"linear": LINEAR}, LINEAR), ({"damped": DAMPED}, DAMPED), ({"co_reviews": LINEAR}, CO_REVIEWS)],
)
def test_the_table_that_finds_most_is_chosen(telling: dict[str, NeighbourKind], best: NeighbourKind) -> None:
    blend, kind = choose(trained(**telling))
    assert kind == best
    assert blend.neighbour_weight > 0
    assert blend.like_weight >= 0
    assert choose(trained(**telling)) == (blend, kind)


def test_tables_that_say_nothing_get_no_weight() -> None:
    blend, kind = choose(trained(NOTHING))
    assert kind == CO_REVIEWS
    assert blend.neighbour_weight == 0


def test_without_ratings_their_part_of_a_score_has_no_weight() -> None:
    blend, kind = choose(trained(model=random_model(rated=False), linear=LINEAR))
    assert kind == LINEAR
    assert blend.like_weight == 0
    assert blend.neighbour_weight > 0


def test_successors_count_where_they_find_more() -> None:
    blend, kind = choose(trained(successors=TELLING[DAMPED]))
    assert kind == CO_REVIEWS
    assert blend.successor_weight > 0
    both = choose(trained(TELLING[LINEAR], successors=TELLING[DAMPED]))[0]
    assert both.successor_weight > 0


def test_successors_that_say_nothing_get_no_weight() -> None:
    blend, _ = choose(trained(successors=NOTHING, linear=LINEAR))
    assert blend.successor_weight == 0
    assert choose(trained(linear=LINEAR))[0].successor_weight == 0


@pytest.mark.parametrize("seed", range(5))
def test_successors_by_chance_get_no_weight(seed: int) -> None:
    drawn = random_table(np.random.default_rng(seed))
    blend, _ = choose(trained(successors=drawn, linear=LINEAR))
    assert blend.successor_weight == 0


def test_content_counts_where_it_finds_more() -> None:
    """Reviews know a third of the neighbours, metadata the others."""
    by_reviews = np.arange(len(TELLING[DAMPED].weights)) % 3 == 0
    tables = {CO_REVIEWS: part_of(TELLING[DAMPED], by_reviews)}
    beside = trained(part_of(TELLING[DAMPED], ~by_reviews))._replace(tables=tables)
    blend, kind = choose(beside)
    assert kind.form == CO_REVIEWS.form
    assert kind.content > 0
    assert blend.neighbour_weight > 0
    assert choose(beside._replace(content=None))[1] == CO_REVIEWS


def test_content_that_misleads_gets_little_weight() -> None:
    other_taste = (TELLING[LINEAR].movie_rows + NUM_MOVIES // 2) % NUM_MOVIES
    misleading = NeighbourTable(TELLING[LINEAR].offsets, other_taste, np.abs(TELLING[LINEAR].weights))
    _, kind = choose(trained(misleading, linear=LINEAR))
    assert kind.form == "linear"
    assert kind.content == 0


def test_what_most_reviewers_are_served_by_is_chosen_over_several_models() -> None:
    """One model of all reviewers outweighs two of a few, whatever these say."""
    few = HELD_OUT.select(HELD_OUT.reviewer_rows < 2)
    for_few = trained(damped=DAMPED)
    _, kind = choose_blend([for_few, trained(linear=LINEAR), for_few], [few, HELD_OUT, few], seed=0)
    assert kind == LINEAR


def part_of(table: NeighbourTable, kept: np.ndarray) -> NeighbourTable:
    """The neighbours that are kept; bool [num_pairs]."""
    offsets = np.concatenate([[0], np.cumsum(kept)])[table.offsets]
    return NeighbourTable(offsets, table.movie_rows[kept], table.weights[kept])


def test_lists_leave_out_what_will_rather_not_be_liked() -> None:
    """Two reviewers in three like what ranks second, and nobody what ranks first with a low chance."""
    num, width = 30, 40
    relevance = np.tile(np.linspace(2.0, -2.0, width, dtype=np.float32), (num, 1))
    chances = np.full((num, width), 0.9, dtype=np.float32)
    chances[:, ::3] = 0.2
    relevant = np.zeros((num, width), dtype=bool)
    relevant[:, 1] = True
    nothing, ones = np.zeros_like(relevance), np.ones(num, dtype=np.int64)
    found = Parts(relevance, np.log(chances), [nothing], None, relevant, ones, np.ones((num, 1), np.float32))
    blend = score_blend._honest_likes([found], [relevance], Blend())
    scores = relevance + blend.like_weight * (
        np.log(chances) + blend.doubt * np.minimum(np.log(2 * chances), 0)
    )
    best = np.argsort(-scores, axis=1)[:, :10]
    assert (np.take_along_axis(chances, best, axis=1) > 0.5).all()
    # Where the chances say nothing of what is liked, they must not cost more than they are worth.
    relevant[:] = False
    relevant[:, 0] = True
    blend = score_blend._honest_likes([found], [relevance], Blend())
    assert (blend.like_weight, blend.doubt) == (0.0, 0.0)


def test_sums_are_chosen_where_they_rank_better_than_means_over_long_histories() -> None:
    """Neighbours are right about reviewers of long histories, the relevance about all others."""
    generator = np.random.default_rng(0)
    num, width = 40, 60
    is_long = np.arange(num) % 2 == 0
    relevant = np.zeros((num, width), dtype=bool)
    relevant[:, 0] = True
    told, noise = np.where(relevant, 3.0, 0.0), generator.standard_normal((2, num, width))
    mass = np.where(is_long, 100.0, 1.0).astype(np.float32)[:, None]
    relevance = (noise[0] + np.where(is_long[:, None], 0.0, told)).astype(np.float32)
    near = ((noise[1] + np.where(is_long[:, None], told, 0.0)) / np.sqrt(mass)).astype(np.float32)
    nothing, ones = np.zeros_like(relevance), np.ones(num, dtype=np.int64)
    found = Parts(relevance, nothing, [near], None, relevant, ones, mass)
    one = TrainedModel(random_model(rated=False), {CO_REVIEWS: NOTHING}, None, None, {}, {})
    means, sums = (score_blend._with_power(one, [found], power) for power in score_blend.LENGTH_POWERS)
    assert sums.blend.length_power == 0
    assert sums.figures.mean() > means.figures.mean()


@pytest.mark.parametrize("at_once", [1, 2**16])
def test_a_grid_of_weights_has_the_figures_of_its_scores(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(parts_module, "_COMPARED_AT_ONCE", at_once)
    generator = np.random.default_rng(3)
    num, width = 30, 80
    relevance, near, likes = np.round(4 * generator.standard_normal((3, num, width))).astype(np.float32) / 4
    relevance[:, 70:], near[:, 70:], likes[:, 70:] = -np.inf, 0.0, 0.0
    relevant = generator.random((num, width)) < 0.03
    relevant[:, 70:] = False
    # Some reviewers like movies that are no candidates, and some like nothing.
    counts = relevant.sum(axis=1) + generator.integers(0, 3, num)
    found = Parts(relevance, likes, [near], None, relevant, counts, np.ones((num, 1), np.float32))
    near_weights, like_weights = (0.0, 0.5, 2.0), (0.0, 1.0)
    figures = figures_of_grid(found, relevance, near, near_weights, like_weights)
    assert figures.shape == (3, 2)
    for row, near_weight in enumerate(near_weights):
        for column, like_weight in enumerate(like_weights):
            scores = relevance + np.float32(near_weight) * near + np.float32(like_weight) * likes
            assert figures[row, column] == pytest.approx(figure_of(found, scores), abs=1e-12)
