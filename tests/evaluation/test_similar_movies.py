import json
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner
from no_traits import no_traits

from engine.cli.main import main
from engine.model.heads import RelevanceHead
from engine.model.histories import Histories
from engine.model.neighbours import NeighbourTable
from engine.model.scorer import Model
from engine.model.values import Blend
from pipelines.dataset.reviews import make_reviews
from pipelines.evaluation.protocols import Fold
from pipelines.evaluation.similar_movies import (
    Compared,
    Looks,
    SimilarLists,
    measure_looks,
    measure_similar,
    summarize,
    summarize_looks,
)
from pipelines.similar.likeness import Weights
from pipelines.similar.traits import read_links

NUM_MOVIES = 30


def a_model(alike: list[tuple[int, int]], shared: list[tuple[int, int]]) -> Model:
    """Movies whose vectors are alike are near for the engine; those that share reviewers for both."""
    vectors = np.concatenate([np.eye(NUM_MOVIES), np.zeros((NUM_MOVIES, 1))], axis=1).astype(np.float32)
    for one, other in alike:
        vectors[one] = vectors[other]
    shared = sorted(shared)
    counts = np.bincount([one for one, _ in shared], minlength=NUM_MOVIES)
    table = NeighbourTable(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.array([other for _, other in shared], dtype=np.int32),
        np.full(len(shared), 0.9, dtype=np.float32),
    )
    head = RelevanceHead(
        movie_vectors=vectors,
        history_vectors=np.zeros((NUM_MOVIES, NUM_MOVIES), np.float32),
        reviewer_embeddings=np.zeros((2, NUM_MOVIES), np.float32),
        level_weights=np.ones(1, np.float32),
        recency_power=0.0,
        max_history=10,
    )
    none = np.zeros(0)
    return Model(
        relevance=head,
        rating=None,
        neighbours=table,
        history_neighbours=None,
        rating_neighbours=None,
        histories=Histories(np.zeros(3, np.int64), none.astype(np.int32), none.astype(np.int8)),
        blend=Blend(),
    )


def a_fold(train: list[tuple[int, int]], test: list[tuple[int, int]]) -> Fold:
    sides = [
        make_reviews(
            np.array([row for row, _ in side]),
            np.array([row for _, row in side]),
            None,
            np.arange(len(side)),
            num_reviewers=2,
            num_movies=NUM_MOVIES,
        )
        for side in (train, test)
    ]
    return Fold(sides[0], sides[1], 0)


def by_vectors(model: Model) -> SimilarLists:
    """Lists for which only the vectors count, apart from reviewers in common where vectors say nothing."""
    alone = Weights(sittings=0.0, likes=0.0, vectors=1.0, categories=0.0, words=0.0, series=0.0)
    return SimilarLists.of(model, alone, no_traits(NUM_MOVIES))


def test_links_between_known_movies_are_found_by_vectors_or_shared_reviewers() -> None:
    model = a_model(alike=[(7, 21)], shared=[(1, 25), (1, 26)])
    fold = a_fold([(0, movie) for movie in range(28)], [(1, 3)])
    # Movie 29 is not in training, so its link is no question, nor is a link to it right.
    # The links of movie 2 teach the weights of lists, so no list is measured by them.
    links = np.array([[1, 25], [1, 26], [2, 5], [3, 29], [21, 7], [29, 3]])
    found = measure_similar(by_vectors(model), fold, links, seed=1)
    assert found["links"].engine.tolist() == [1.0, 1.0]
    assert found["links"].co_review.tolist() == [1.0, 0.0]
    assert "held_out" not in found  # who was held out has no movie to ask with


def test_held_out_reviews_are_asked_for_with_the_last_training_movie() -> None:
    model = a_model(alike=[(20, 7)], shared=[(8, 21)])
    fold = a_fold([(0, 3), (0, 7), (1, 8)], [(0, 20), (0, 19), (1, 21)])
    found = measure_similar(by_vectors(model), fold, np.zeros((0, 2), np.int64), seed=1)
    assert set(found) == {"held_out"}
    # Ties among the unlike movies go by row, so of reviewer 0's two only the alike one is found.
    assert found["held_out"].engine.tolist() == [0.5, 1.0]
    assert found["held_out"].co_review.tolist() == [0.0, 1.0]


def test_a_summary_is_over_the_questions_of_all_folds() -> None:
    one = Compared(np.array([1.0, 0.5]), np.array([0.0, 0.5]))
    other = Compared(np.array([0.0]), np.array([0.0]))
    found = summarize([{"links": one}, {"links": other, "held_out": other}], seed=1)
    assert found["links"]["questions"] == 3
    assert found["links"]["ncf"]["recall@10"] == pytest.approx(0.5)
    assert found["links"]["co-review"]["recall@10"] == pytest.approx(1 / 6)
    assert found["held_out"]["p_value"] == 1.0
    assert summarize([], seed=1) == {}


def test_looks_are_measured_by_categories_and_series() -> None:
    reviews = [(0, movie) for movie in range(4)] + [(1, movie) for movie in range(4)]
    model = a_model(alike=[(1, 0), (3, 2)], shared=[])
    counts = np.bincount([movie for _, movie in reviews], minlength=NUM_MOVIES)
    histories = Histories(
        np.array([0, 4, 8]),
        np.array([movie for _, movie in reviews], dtype=np.int32),
        np.zeros(8, dtype=np.int8),
    )
    model = replace(model, histories=histories)
    categories = np.zeros((NUM_MOVIES, 2), dtype=np.float32)
    categories[[0, 1, 2], 0], categories[3, 1] = 1.0, 1.0
    traits = replace(
        no_traits(NUM_MOVIES),
        categories=categories,
        series=np.where(np.arange(NUM_MOVIES) < 2, 0, -1),
        titles=np.arange(NUM_MOVIES),
        years=np.arange(NUM_MOVIES, dtype=np.float32),
    )
    lists = by_vectors(model)
    found = measure_looks(lists, traits)
    apart = [
        np.mean([categories[row] @ categories[other] == 0 for other in lists.top(row)]) for row in range(4)
    ]
    num, share, at_random = found.without_common_category["2-3"]
    assert (num, share) == (4, pytest.approx(np.mean(apart)))
    assert at_random == pytest.approx(np.mean([1 / 4, 1 / 4, 1 / 4, 3 / 4]))
    assert counts[:4].tolist() == [2, 2, 2, 2]
    assert found.series == (1, 1)


def test_looks_are_averaged_over_folds() -> None:
    folds = [Looks({"2-3": (10, 0.2, 0.5)}, (4, 3)), Looks({"2-3": (20, 0.4, 0.5)}, (2, 2))]
    assert summarize_looks(folds) == {
        "without_common_category": {"2-3": {"movies": 15, "share": pytest.approx(0.3), "random": 0.5}},
        "series": {"pairs": 6, "found": 5},
    }
    assert summarize_looks([]) == {}


def test_links_are_read_of_reviewed_movies_once_and_never_to_themselves(
    database: duckdb.DuckDBPyConnection,
) -> None:
    database.execute(
        "create table movies as select * from (values "
        "(0, 'A', ['B', 'Z', 'A'], ['B', 'C']), (1, 'B', null, ['A']), (2, 'C', null, null)"
        ") as t(movie_row, movie_id, also_view, also_buy)"
    )
    assert read_links(database).tolist() == [[0, 1], [0, 2], [1, 0]]
    database.execute("update movies set also_view = null, also_buy = null")
    assert read_links(database).shape == (0, 2)


@pytest.mark.slow
def test_an_evaluation_says_how_good_similar_movies_are(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    lines = [
        f"R{reviewer},M{movie:02},{generator.integers(1, 6)},{1000 + place}\n"
        for reviewer in range(40)
        for place, movie in enumerate(generator.permutation(20)[:8])
    ]
    path, metadata = tmp_path / "ratings.csv", tmp_path / "meta.json"
    path.write_text("reviewer,movie,rating,time\n" + "".join(lines))
    metadata.write_text(
        "".join(
            json.dumps(
                {"asin": f"M{movie:02}", "title": f"T{movie}", "also_view": [f"M{(movie + 1) % 20:02}"]}
            )
            + "\n"
            for movie in range(20)
        )
    )
    few = ("relevance.max_rounds", "rating.max_rounds", "split.max_holdouts", "relevance.num_members")
    quick = [f"--set={setting}=1" for setting in few]
    command = ["evaluate", str(path), "--metadata", str(metadata), "--protocol", "last-share", *quick]
    result = CliRunner().invoke(main, [*command, "--models", "ncf", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["similar"]
    assert found["links"]["questions"] == 9  # the other eleven links teach the weights
    assert found["held_out"]["questions"] == 40
    for row in found.values():
        assert {*row} == {"questions", "ncf", "co-review", "p_value"}
        assert 0 < row["ncf"]["recall@10"] <= 1
    shown = CliRunner().invoke(main, [*command, "--models", "ncf"])
    assert "movies that metadata" in " ".join(shown.stdout.split())
