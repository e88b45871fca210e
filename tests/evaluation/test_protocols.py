import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalogue.titles import film_of_title
from engine.errors import DataError
from pipelines.dataset.copies import copy_groups, separate
from pipelines.dataset.films import film_rows
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.evaluation.protocols import PROTOCOLS, make_folds


def random_reviews(num_reviews: int = 600, seed: int = 0) -> Reviews:
    generator = np.random.default_rng(seed)
    pairs = generator.permutation(40 * 50)[:num_reviews]
    return make_reviews(
        pairs // 50,
        pairs % 50,
        generator.integers(1, 6, num_reviews).astype(float),
        generator.integers(1_000, 5_000, num_reviews),
        num_reviewers=40,
        num_movies=50,
    )


def pairs_of(reviews: Reviews) -> set[tuple[int, int]]:
    return set(zip(reviews.reviewer_rows.tolist(), reviews.movie_rows.tolist(), strict=True))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_review_is_on_one_side_of_every_fold(protocol: str) -> None:
    reviews = random_reviews()
    for fold in make_folds(reviews, protocol):
        assert pairs_of(fold.train) | pairs_of(fold.test) == pairs_of(reviews)
        assert not pairs_of(fold.train) & pairs_of(fold.test)
        assert fold.num_leaks == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_seed_always_gives_the_same_folds(protocol: str) -> None:
    reviews = random_reviews()
    first, second = (
        [pairs_of(fold.test) for fold in make_folds(reviews, protocol, seed=7)] for _ in range(2)
    )
    assert first == second


def test_the_temporal_protocol_learns_nothing_from_the_future() -> None:
    (fold,) = make_folds(random_reviews(), "temporal")
    assert fold.train.times.max() < fold.test.times.min()
    assert len(fold.test) == pytest.approx(0.2 * 600, abs=5)


def test_leave_last_out_holds_out_the_last_of_everyone() -> None:
    (fold,) = make_folds(random_reviews(), "leave-last-out")
    assert np.bincount(fold.test.reviewer_rows).max() == 1
    for reviewer, time in zip(fold.test.reviewer_rows, fold.test.times, strict=True):
        assert (fold.train.times[fold.train.reviewer_rows == reviewer] <= time).all()


def test_the_last_share_is_a_fifth_of_everyone_rounded_down() -> None:
    reviews = random_reviews()
    (fold,) = make_folds(reviews, "last-share")
    counts = np.bincount(reviews.reviewer_rows, minlength=40)
    assert np.bincount(fold.test.reviewer_rows, minlength=40).tolist() == (counts // 5).tolist()


def test_folds_hold_out_every_review_once_and_share_every_rating() -> None:
    reviews = random_reviews()
    folds = list(make_folds(reviews, "folds"))
    assert len(folds) == 5
    assert sum(len(fold.test) for fold in folds) == len(reviews)
    assert set.union(*(pairs_of(fold.test) for fold in folds)) == pairs_of(reviews)
    shares = np.array([np.bincount(fold.test.level_rows, minlength=5) for fold in folds])
    assert (shares.max(axis=0) - shares.min(axis=0) <= 1).all()


def test_random_holds_out_a_fifth() -> None:
    (fold,) = make_folds(random_reviews(), "random")
    assert len(fold.test) == 120


def test_reviews_without_times_are_not_divided_by_time() -> None:
    reviews = make_reviews(np.arange(9) % 3, np.arange(9), None, None, num_reviewers=3, num_movies=9)
    with pytest.raises(DataError, match="take the protocol 'random' or 'folds'"):
        list(make_folds(reviews, "temporal"))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_planted_variant_of_a_film_is_never_on_both_sides(protocol: str) -> None:
    reviews = random_reviews(1200)
    films = np.arange(50) // 2  # every film is sold twice
    groups = copy_groups(reviews, films)
    num_leaks = 0
    for fold in make_folds(reviews, protocol, groups=groups):
        keys = [set(zip(side.reviewer_rows, films[side.movie_rows], strict=True)) for side in fold[:2]]
        assert not keys[0] & keys[1]
        num_leaks += fold.num_leaks
    assert num_leaks > 0


def test_the_same_words_at_the_same_time_under_another_movie_are_a_copy() -> None:
    rows = np.array([0, 0, 0, 1, 1])
    movies, times = np.array([0, 1, 2, 0, 3]), np.array([5, 5, 5, 5, 5])
    reviews = make_reviews(rows, movies, np.array([4.0, 4, 5, 4, 4]), times, num_reviewers=2, num_movies=4)
    (_, by_text) = copy_groups(reviews, np.arange(4), np.array([77, 77, 77, 77, 0]))
    assert by_text[0] == by_text[1]
    assert len({by_text[place] for place in (1, 2, 3, 4)}) == 4  # another rating, reviewer, no text


def test_reviews_without_words_are_no_copies_by_words() -> None:
    reviews = random_reviews()
    assert len(copy_groups(reviews, np.arange(50), np.zeros(600, np.int64))) == 1


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=40),
)
def test_no_copy_remains_on_both_sides_however_they_are_chained(rows: list[tuple[bool, int, int]]) -> None:
    held_out, first, second = (np.array(column) for column in zip(*rows, strict=True))
    kept = separate(held_out, (first, second))
    assert not (kept & ~held_out).any()
    for group in (first, second):
        assert not set(group[kept]) & set(group[~kept])


def test_only_what_has_a_copy_in_training_moves() -> None:
    held_out = np.array([False, True, True, True])
    kept = separate(held_out, (np.array([0, 0, 1, 1]),))
    assert kept.tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    "title",
    [
        "The Thing",
        "The Thing [VHS]",
        "The Thing [Blu-ray]",
        "The Thing (Collector's Edition)",
        "The Thing (Widescreen Edition) [Blu-ray] [Region 2]",
        "The Thing - Special Edition",
        "The Thing VHS",
        "Thing, The",
        "THE THING (2-Disc DVD)",
    ],
)
def test_editions_of_a_film_are_one_film(title: str) -> None:
    assert film_of_title(title) == film_of_title("The Thing")


@pytest.mark.parametrize(
    "title",
    [
        "The Thing (1982)",
        "The Thing [DVD] [1982]",
        "The Thing (2011)",
        "The Thing 2",
        "Swamp Thing",
        "The Thing: Season 1",
        "The Thing (Season 2)",
    ],
)
def test_remakes_sequels_and_seasons_are_other_films(title: str) -> None:
    assert film_of_title(title) != film_of_title("The Thing")


def test_movies_without_a_title_are_films_of_their_own() -> None:
    rows = film_rows([None, "Laura", "", "Laura [VHS]", None, "[REC]"])
    assert rows[1] == rows[3]
    assert len(set(rows.tolist())) == 5
