from dataclasses import replace

import numpy as np
import pytest
from random_models import LEVELS, random_model

from engine.config.sections import IngestConfig, NeighboursConfig
from engine.model.histories import Histories
from engine.model.neighbours import NeighbourTable
from engine.model.scorer import Blend, Model
from pipelines.dataset.reviews import Reviews, histories_of, make_reviews
from pipelines.dataset.splits import hold_out_last
from pipelines.neighbours.tables import CO_REVIEWS, Nearness, build_neighbours
from pipelines.training.score_blend import Judged, choose_blend

NUM_REVIEWERS, NUM_MOVIES = 12, 50  # those of a random model
LINEAR, DAMPED = Nearness("linear", 1.0), Nearness("damped", 5.0)


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


EARLIER, LATER = hold_out_last(reviews_of_two_tastes(), 0.25)
LIMITS = IngestConfig(memory_limit="500MB", threads=1)
TELLING = build_neighbours(EARLIER, Blend(), NeighboursConfig(), LIMITS, (LINEAR, DAMPED)).near
NOTHING = NeighbourTable(np.zeros(NUM_MOVIES + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))


def judged(content: NeighbourTable | None = None, model: Model | None = None, **telling: Nearness) -> Judged:
    """A random model with tables that say nothing, but for those of the names given."""
    model, histories = model or random_model(), histories_of(EARLIER)
    if model.rating is None:
        histories = Histories(histories.offsets, histories.movie_rows, np.zeros_like(histories.level_rows))
    model = replace(model, histories=histories, blend=Blend())
    names = {"co_reviews": CO_REVIEWS, "linear": LINEAR, "damped": DAMPED}
    tables = {
        nearness: TELLING[telling[name]] if name in telling else NOTHING for name, nearness in names.items()
    }
    return Judged(model, tables, content, LATER)


@pytest.mark.parametrize(
    ("telling", "best"),
    [({"linear": LINEAR}, LINEAR), ({"damped": DAMPED}, DAMPED), ({"co_reviews": LINEAR}, CO_REVIEWS)],
)
def test_the_table_that_finds_most_is_chosen(telling: dict[str, Nearness], best: Nearness) -> None:
    blend, nearness = choose_blend([judged(**telling)], seed=0)
    assert nearness == best
    assert blend.neighbour_weight > 0
    assert blend.like_weight >= 0
    assert choose_blend([judged(**telling)], seed=0) == (blend, nearness)


def test_tables_that_say_nothing_get_no_weight() -> None:
    blend, nearness = choose_blend([judged(NOTHING)], seed=0)
    assert nearness == CO_REVIEWS
    assert blend.neighbour_weight == 0


def test_without_ratings_their_part_of_a_score_has_no_weight() -> None:
    blend, nearness = choose_blend([judged(model=random_model(rated=False), linear=LINEAR)], seed=0)
    assert nearness == LINEAR
    assert blend.like_weight == 0
    assert blend.neighbour_weight > 0


def test_content_counts_where_it_finds_more() -> None:
    """Reviews know a third of the neighbours, metadata the others."""
    by_reviews = np.arange(len(TELLING[DAMPED].weights)) % 3 == 0
    tables = {CO_REVIEWS: part_of(TELLING[DAMPED], by_reviews)}
    beside = judged(part_of(TELLING[DAMPED], ~by_reviews))._replace(tables=tables)
    blend, nearness = choose_blend([beside], seed=0)
    assert nearness.form == CO_REVIEWS.form
    assert nearness.content > 0
    assert blend.neighbour_weight > 0
    assert choose_blend([beside._replace(content=None)], seed=0)[1] == CO_REVIEWS


def test_content_that_misleads_gets_little_weight() -> None:
    other_taste = (TELLING[LINEAR].movie_rows + NUM_MOVIES // 2) % NUM_MOVIES
    misleading = NeighbourTable(TELLING[LINEAR].offsets, other_taste, np.abs(TELLING[LINEAR].weights))
    _, nearness = choose_blend([judged(misleading, linear=LINEAR)], seed=0)
    assert nearness.form == "linear"
    assert nearness.content == 0


def test_what_most_reviewers_are_served_by_is_chosen_over_several_models() -> None:
    """One model of all reviewers outweighs two of a few, whatever these say."""
    few = LATER.select(LATER.reviewer_rows < 2)
    for_few = judged(damped=DAMPED)._replace(held_out=few)
    _, nearness = choose_blend([for_few, judged(linear=LINEAR), for_few], seed=0)
    assert nearness == LINEAR


def part_of(table: NeighbourTable, kept: np.ndarray) -> NeighbourTable:
    """The neighbours that are kept; bool [num_pairs]."""
    offsets = np.concatenate([[0], np.cumsum(kept)])[table.offsets]
    return NeighbourTable(offsets, table.movie_rows[kept], table.weights[kept])
