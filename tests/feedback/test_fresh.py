"""Feedback counts at once in every answer, and later the same after the index has taken it in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_index import movie_id, reviewer_id, write_index

from engine import Engine
from engine.answers import TopList
from engine.artifact.reader import Artifact
from engine.config.sections import FeedbackConfig
from engine.errors import ArtifactCorruptError, UnknownIdError
from engine.feedback.events import Event, Scale
from engine.feedback.fresh import FreshReview, outcome_of
from engine.feedback.journal import journal_of
from engine.feedback.writing import JournalWriter
from pipelines import add_reviews

LATE = 1_700_000_000
KNOWN, NEW = reviewer_id(7), "newcomer"


def send(index: Path, *events: tuple[Any, ...]) -> None:
    """Appends events, each as the reviewer, the movie, the kind and perhaps the rating."""
    writer = JournalWriter(journal_of(index))
    begin = sum(end.size for end in journal_of(index).segments())
    lines = [
        Event(
            id=f"{begin}-{number}",
            time=LATE + number,
            kind=kind,
            movie_id=movie,
            reviewer_id=reviewer,
            rating=rating[0] if rating else None,
        )
        for number, (reviewer, movie, kind, *rating) in enumerate(events)
    ]
    writer.write([lines])


def following(index: Path) -> Engine:
    engine = Engine.load(index)
    engine.index.follow(journal_of(index))
    return engine


def listed(found: TopList) -> list[tuple[str, float]]:
    return [(movie.movie_id, round(movie.score, 4)) for movie in found]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return write_index(tmp_path / "index", num_reviewers=60)


def test_the_next_list_knows_new_ratings_and_does_not_change_when_they_are_taken_in(index: Path) -> None:
    before = listed(Engine.load(index).recommend(KNOWN, 10))
    top = before[0][0]
    send(
        index,
        (KNOWN, top, "rating", 5.0),
        *((NEW, movie_id(3 * number), "rating", 1.0 + number) for number in range(5)),
        (NEW, movie_id(3), "purchase", 4.0),
        (KNOWN, "no such movie", "rating", 2.0),
    )
    with pytest.raises(UnknownIdError):
        Engine.load(index).recommend(NEW)
    fresh = following(index)
    lists = [listed(fresh.recommend(one, 10)) for one in (KNOWN, NEW)]
    group = listed(fresh.recommend_group([KNOWN, NEW], 10))
    history = [(review.movie_id, review.rating, review.day) for review in fresh.reviewer(NEW).history]
    predicted = fresh.predictions(KNOWN, [movie_id(30)])
    assert lists[0] != before
    assert top not in dict(lists[0])
    assert (history[0], len(history)) == ((movie_id(3), 4.0, "2023-11-14"), 5)
    result = add_reviews(index=index)
    assert result.update["added"] == 6
    assert result.update["reviews_of_unknown_movies"] == 1
    taken_in = following(index)
    assert taken_in.index.feedback.num_fresh == 0
    for engine in (taken_in, Engine.load(index)):
        assert [listed(engine.recommend(one, 10)) for one in (KNOWN, NEW)] == lists
        assert listed(engine.recommend_group([KNOWN, NEW], 10)) == group
        assert engine.predictions(KNOWN, [movie_id(30)]) == predicted
        found = [(review.movie_id, review.rating, review.day) for review in engine.reviewer(NEW).history]
        assert found == history


def test_an_index_that_has_made_lists_before_it_follows_a_journal_knows_what_the_journal_hides(
    index: Path,
) -> None:
    engine = Engine.load(index)
    rows = np.array([7, 8])
    top = engine.recommend(KNOWN, 1)[0].movie_id
    columns = engine.list_columns(rows, 3)
    send(index, (None, top, "hidden"), (KNOWN, movie_id(int(columns.movie_rows[1])), "hidden"))
    engine.index.follow(journal_of(index))
    assert top not in dict(listed(engine.recommend(KNOWN, 10)))
    again = engine.list_columns(rows, 3)
    assert not np.isin(columns.movie_rows[:2], again.movie_rows[again.places == 0]).any()
    hidden = engine.list_columns(rows, engine.num_movies).movie_rows
    assert top not in engine.movie_ids(hidden.tolist())


def test_an_index_takes_in_each_line_once(index: Path) -> None:
    send(index, (NEW, movie_id(1), "rating", 5.0))
    assert add_reviews(index=index).update["journal"]["reviews"] == 1
    assert not add_reviews(index=index).update["changed"]
    send(index, (NEW, movie_id(2), "rating", 5.0), (NEW, movie_id(1), "click", 3.0))
    update = add_reviews(index=index).update
    assert (update["journal"]["reviews"], update["added"], update["already_there"]) == (2, 1, 1)
    assert Engine.load(index).reviewer(NEW).num_reviews == 2


def test_hidden_movies_are_in_no_list_until_they_are_shown_again(index: Path) -> None:
    plain = Engine.load(index)
    top = plain.recommend(KNOWN, 1)[0].movie_id
    like = plain.similar(movie_id(9), 1)[0].movie_id
    popular = plain.recommend("", 1, fallback="popular")[0].movie_id
    for movie in (top, like, popular):
        send(index, (None, movie, "hidden"))
    hidden = {top, like, popular}

    def shown(engine: Engine) -> set[str]:
        every = [
            *engine.recommend(KNOWN, 400, include_seen=True, all_variants=True),
            *engine.recommend(KNOWN, 400, where="true", include_seen=True),
            *engine.recommend(KNOWN, 5, only=[top, movie_id(1)], include_seen=True),
            *engine.recommend("", 400, fallback="popular"),
            *engine.recommend_for({movie_id(5): 5}, 400),
            *engine.recommend_group([KNOWN, reviewer_id(9)], 400),
            *engine.similar(movie_id(9), 400, all_variants=True),
            *engine.find_movies("film", 400),
        ]
        columns = engine.list_columns(np.arange(60), 400)
        return {one.movie_id for one in every} | set(engine.movie_ids(np.unique(columns.movie_rows)))

    fresh = following(index)
    assert not shown(fresh) & hidden
    assert fresh.reviewers_for(top, 5) == []
    assert add_reviews(index=index).update["journal"]["hidden"] == 3
    assert not shown(Engine.load(index)) & hidden
    send(index, (None, top, "shown"))
    assert top in {movie.movie_id for movie in following(index).recommend(KNOWN, 10)}
    assert add_reviews(index=index).update["changed"]
    assert shown(Engine.load(index)) & hidden == {top}


def test_a_movie_that_one_reviewer_hides_is_shown_to_the_others(index: Path) -> None:
    plain = Engine.load(index)
    top = plain.recommend(KNOWN, 1)[0].movie_id
    popular = plain.recommend("", 1, fallback="popular")[0].movie_id
    send(index, (KNOWN, top, "hidden"), ("somebody", popular, "hidden"))
    row = int(plain.reviewer_rows([KNOWN])[0])
    other = listed(plain.recommend(reviewer_id(9), 10))
    for taken_in in (False, True):
        if taken_in:
            add_reviews(index=index)
        engine = Engine.load(index) if taken_in else following(index)
        assert top not in dict(listed(engine.recommend(KNOWN, 400, include_seen=True)))
        assert popular not in dict(listed(engine.recommend("somebody", 400, fallback="popular")))
        assert popular in dict(listed(engine.recommend("else", 5, fallback="popular")))
        assert listed(engine.recommend(reviewer_id(9), 10)) == other
        assert KNOWN not in {one.reviewer_id for one in engine.reviewers_for(top, 60)}
    columns = Engine.load(index).list_columns(np.array([row]), 10)
    assert top not in engine.movie_ids(columns.movie_rows)
    send(index, (KNOWN, top, "shown"))
    assert following(index).recommend(KNOWN, 1)[0].movie_id == top


def test_lists_are_as_long_as_ever_if_most_movies_are_hidden(index: Path) -> None:
    send(index, *((None, movie_id(row), "hidden") for row in range(380)))
    engine = following(index)
    shown = {movie.movie_id for movie in engine.recommend(KNOWN, 10, include_seen=True, all_variants=True)}
    assert len(shown) == 10
    assert shown <= {movie_id(row) for row in range(380, 400)}


RATED, CLICKED, BOUGHT = ("rating", 2, 10), ("click", 1, 20), ("purchase", 3, 30)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([RATED, CLICKED], RATED),
        ([CLICKED, RATED], RATED),
        ([RATED, BOUGHT], BOUGHT),
        ([CLICKED, BOUGHT], BOUGHT),
        ([BOUGHT, CLICKED], BOUGHT),
        ([BOUGHT, ("rating", 0, 40)], ("rating", 0, 40)),
        ([BOUGHT, ("dislike", 0, 40)], ("dislike", 0, 40)),
        ([("rating", 4, 5), BOUGHT], ("rating", 4, 5)),
    ],
)
def test_one_review_is_left_of_several(events: list[tuple[str, int, int]], expected: Any) -> None:
    left = None
    for one in events:
        left = outcome_of(left, FreshReview(*one))
    assert left == expected


def test_each_kind_has_its_place_on_the_scale() -> None:
    places = vars(FeedbackConfig())
    stars = Scale(levels=np.arange(1, 6, dtype=np.float32), places=places)
    assert [stars.rating_of(kind) for kind in ("dislike", "click", "purchase")] == [1.0, 3.0, 4.0]
    halves = Scale(levels=np.arange(0.5, 5.5, 0.5).astype(np.float32), places=places | {"purchase": 0.8})
    assert [halves.rating_of(kind) for kind in ("dislike", "click", "purchase")] == [0.5, 3.0, 4.0]
    counts = Scale(levels=np.array([0, 1], dtype=np.float32), like_count=6.0, places=places)
    assert [counts.rating_of(kind) for kind in ("dislike", "click", "purchase")] == [3.0, 3.0, 6.0]
    assert [counts.level_row(count) for count in (3.0, 6.0, 100.0)] == [0, 1, 1]
    views = Scale(levels=np.zeros(0, dtype=np.float32), places=places)
    assert views.rating_of("purchase") is None
    assert "without ratings" in str(views.fault_of(3.0))


def test_a_dislike_hides_the_movie_in_an_index_without_ratings(tmp_path: Path) -> None:
    index = write_index(tmp_path / "index", num_reviewers=40, rated=False)
    top = Engine.load(index).recommend(KNOWN, 1)[0].movie_id
    send(index, (KNOWN, top, "dislike"), (NEW, movie_id(3), "purchase"))
    engine = following(index)
    assert top not in dict(listed(engine.recommend(KNOWN, 400)))
    expected = listed(engine.recommend(NEW, 5))
    update = add_reviews(index=index).update
    assert (update["added"], update["journal"]["hidden"]) == (1, 1)
    assert top not in dict(listed(Engine.load(index).recommend(KNOWN, 400)))
    assert listed(Engine.load(index).recommend(NEW, 5)) == expected


def test_a_purchase_raises_a_review_of_the_index_and_a_click_changes_none(index: Path) -> None:
    history = Engine.load(index).reviewer(KNOWN).history
    low = next(review for review in history if review.rating is not None and review.rating < 4)
    send(index, (KNOWN, low.movie_id, "click", 3.0))
    assert not add_reviews(index=index).update["changed"]
    send(index, (KNOWN, low.movie_id, "purchase", 4.0))
    expected = listed(following(index).recommend(KNOWN, 10))
    update = add_reviews(index=index).update
    assert (update["replaced"], update["added"]) == (1, 0)
    assert listed(Engine.load(index).recommend(KNOWN, 10)) == expected
    send(index, (KNOWN, low.movie_id, "purchase", 4.0))
    assert not add_reviews(index=index).update["changed"]


def test_a_rating_beyond_a_later_scale_is_left_out(index: Path) -> None:
    send(index, (NEW, movie_id(1), "rating", 9.0), (NEW, movie_id(2), "rating", 5.0))
    update = add_reviews(index=index).update
    assert (update["journal"]["off_scale"], update["added"]) == (1, 1)


def test_a_damaged_file_of_hidden_movies_is_noticed(index: Path) -> None:
    send(index, (None, movie_id(1), "hidden"))
    add_reviews(index=index)
    path = Artifact.open(index).file("hidden.json")
    path.write_text('{"movies": 7}')
    with pytest.raises(ArtifactCorruptError):
        Engine.load(index)


def test_a_hidden_movie_in_another_journal_changes_the_index_only_once(index: Path, tmp_path: Path) -> None:
    other = write_index(tmp_path / "other", num_reviewers=60)
    send(other, (NEW, movie_id(3), "rating", 5.0), (None, movie_id(4), "hidden"))
    send(index, (KNOWN, movie_id(2), "rating", 5.0))
    add_reviews([journal_of(other).folder], index=index)
    build = Engine.load(index).build
    add_reviews([journal_of(other).folder], index=index)
    assert Engine.load(index).build == build
