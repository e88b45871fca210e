import numpy as np
import pytest

from engine.arrays import Floats
from engine.config.sections import RelevanceConfig
from engine.model.heads import RelevanceHead
from engine.model.histories import Histories, History, recency_weights
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.networks import batches, relevance
from pipelines.networks.batches import RelevanceBatch, RelevanceSampler
from pipelines.networks.relevance import RelevanceNetwork

NUM_REVIEWERS, NUM_MOVIES, DIM = 20, 40, 5
STILL = {"dropout": 0.0, "embedding_dim": DIM}


def some_reviews(rated: bool = True) -> Reviews:
    generator = np.random.default_rng(0)
    counts = generator.integers(2, 15, NUM_REVIEWERS)
    movies = np.concatenate([generator.permutation(NUM_MOVIES)[:count] for count in counts])
    ratings = generator.integers(1, 6, len(movies)).astype(float) if rated else None
    return make_reviews(
        np.repeat(np.arange(NUM_REVIEWERS), counts),
        movies,
        ratings,
        np.arange(len(movies)),
        num_reviewers=NUM_REVIEWERS,
        num_movies=NUM_MOVIES,
    )


def random_network(reviews: Reviews, config: RelevanceConfig) -> RelevanceNetwork:
    generator = np.random.default_rng(7)
    popularity = np.bincount(reviews.movie_rows, minlength=NUM_MOVIES)
    network = RelevanceNetwork(popularity, NUM_REVIEWERS, len(reviews.levels), config, generator)
    for table in (network.movies, network.history, network.reviewers, network.biases, network.levels):
        table.assign(generator.standard_normal(table.numpy().shape).astype(np.float32))
    return network


def query_of(head: RelevanceHead, reviewer_row: int | None, history: History) -> Floats:
    rows = None if reviewer_row is None else np.array([reviewer_row])
    return head.queries(rows, Histories.of_one(history))[0]


def loss_by_the_head(head: RelevanceHead, batch: RelevanceBatch) -> float:
    """The softmax cross entropy in plain NumPy, with each reviewer's vector as it is made for queries."""
    losses = []
    for example, reviewer_row in enumerate(batch.reviewer_rows):
        own = batch.history_examples == example
        history = History(batch.history_movies[own], batch.history_levels[own].astype(np.int8))
        scores = head.score(query_of(head, int(reviewer_row), history), batch.candidates).astype(np.float64)
        scores -= batch.log_chances
        open_scores = np.where(np.isin(batch.candidates, history.movie_rows), -np.inf, scores)
        total = np.log(np.exp(open_scores - open_scores.max()).sum()) + open_scores.max()
        targets = np.searchsorted(batch.candidates, batch.target_movies[batch.target_examples == example])
        losses.append(total - scores[targets])
    weights = batch.target_weights.astype(np.float64)
    return float(np.concatenate(losses) @ weights / weights.sum())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rated", "sampled", "max_history"),
    [(True, False, 500), (True, True, 3), (False, True, 500), (False, False, 3)],
)
def test_the_network_learns_with_the_vectors_that_queries_are_made_of(
    monkeypatch: pytest.MonkeyPatch, rated: bool, sampled: bool, max_history: int
) -> None:
    reviews = some_reviews(rated)
    monkeypatch.setattr(batches, "HISTORY_DROPOUT", 0.0)
    monkeypatch.setattr(relevance, "_REVIEWER_DROPOUT", 0.0)
    if sampled:
        monkeypatch.setattr(batches, "FULL_SOFTMAX_UP_TO", 0)
    config = RelevanceConfig(**STILL, num_negatives=12, max_history=max_history, recency_power=0.7)
    network = random_network(reviews, config)
    sampler = RelevanceSampler(reviews, reviews.likes(4.0), config, np.random.default_rng(1))
    head = network.head()
    for batch in sampler.batches():
        assert float(network.train(batch, 0.0, seed=0)) == pytest.approx(
            loss_by_the_head(head, batch), abs=1e-5
        )


@pytest.mark.slow
def test_an_exported_head_is_a_copy() -> None:
    reviews = some_reviews()
    network = random_network(reviews, RelevanceConfig(**STILL))
    head = network.head()
    before = [head.movie_vectors.copy(), head.history_vectors.copy(), head.reviewer_embeddings.copy()]
    for table in (network.movies, network.history, network.reviewers, network.biases):
        table.assign(0 * table)
    for array, held in zip(
        (head.movie_vectors, head.history_vectors, head.reviewer_embeddings), before, strict=True
    ):
        np.testing.assert_array_equal(array, held)


@pytest.fixture
def head() -> RelevanceHead:
    generator = np.random.default_rng(2)

    def normal(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    return RelevanceHead(
        movie_vectors=normal(NUM_MOVIES, DIM + 1),
        history_vectors=normal(NUM_MOVIES, DIM),
        reviewer_embeddings=normal(NUM_REVIEWERS, DIM),
        level_weights=normal(5),
        recency_power=0.5,
        max_history=4,
    )


def test_a_query_is_what_plain_python_makes_of_the_latest_reviews(head: RelevanceHead) -> None:
    movies, levels = [3, 9, 1, 30, 22, 8], [0, 4, 2, 2, 1, 3]
    pooled, mass = np.zeros(DIM), 0.0
    for age, (movie, level) in enumerate(zip(movies[:-5:-1], levels[:-5:-1], strict=True), start=1):
        pooled += age**-0.5 * head.level_weights[level] * head.history_vectors[movie]
        mass += age**-0.5
    pooled /= np.sqrt(mass + 1)
    history = History(np.array(movies, np.int32), np.array(levels, np.int8))
    np.testing.assert_allclose(query_of(head, None, history), [*pooled, 1.0], atol=1e-5)
    own = pooled + head.reviewer_embeddings[6]
    np.testing.assert_allclose(query_of(head, 6, history), [*own, 1.0], atol=1e-5)


def test_without_a_history_a_known_reviewer_is_their_embedding_and_an_unknown_one_gets_the_biases(
    head: RelevanceHead,
) -> None:
    nothing = History(np.zeros(0, np.int32), np.zeros(0, np.int8))
    np.testing.assert_array_equal(query_of(head, 2, nothing)[:-1], head.reviewer_embeddings[2])
    scores = head.score(query_of(head, None, nothing), slice(None))
    np.testing.assert_allclose(scores, head.movie_vectors[:, -1], atol=1e-6)


def test_some_movies_score_as_among_all(head: RelevanceHead) -> None:
    query = query_of(head, 1, History(np.array([5], np.int32), np.array([4], np.int8)))
    rows = np.array([12, 0, 12, 39])
    np.testing.assert_allclose(head.score(query, rows), head.score(query, slice(None))[rows], atol=1e-6)


def test_recency_weights_rise_to_one() -> None:
    weights = recency_weights(np.arange(6, 0, -1), 0.4)
    assert (np.diff(weights) > 0).all()
    assert weights[-1] == 1.0
    assert recency_weights(np.arange(3, 0, -1), 0.0).tolist() == [1.0, 1.0, 1.0]
    assert len(recency_weights(np.arange(0), 0.4)) == 0


def test_histories_are_slices_oldest_first() -> None:
    reviews = some_reviews()
    histories = Histories(reviews.offsets(), reviews.movie_rows, reviews.level_rows)
    assert len(histories) == NUM_REVIEWERS
    for row in range(NUM_REVIEWERS):
        own = np.flatnonzero(reviews.reviewer_rows == row)
        own = own[np.argsort(reviews.times[own])]
        assert histories.of(row).movie_rows.tolist() == reviews.movie_rows[own].tolist()
        assert histories.of(row).level_rows.tolist() == reviews.level_rows[own].tolist()
