"""Whatever Python values a question is asked with: an answer, or one sentence."""

from pathlib import Path
from typing import Any

import made_index
import numpy as np
import pytest
from made_index import movie_id, reviewer_id, write_index

from engine import Engine
from engine.errors import EngineError, UnknownIdError
from engine.questions.arguments import as_id

HUGE = 10**400
UNPRINTABLE = 10**5000
STRANGE = [
    True,
    None,
    1.5,
    float("nan"),
    HUGE,
    -HUGE,
    UNPRINTABLE,
    b"M1",
    [],
    {},
    object(),
    "\udcff",
    "",
    "-5",
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine.load(write_index(tmp_path_factory.mktemp("values") / "index"))


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Gives an engine whose ids are the numbers from 10,000."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("reviewer_id", "movie_id"):
            patch.setattr(made_index, name, lambda row: str(10_000 + row))
        return Engine.load(str(write_index(tmp_path_factory.mktemp("numbered") / "index")))


def refused(question: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(EngineError) as caught:
        question(*arguments, **options)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 600
    return sentence


def kind(value: object) -> str:
    """Names a parameter, since pytest cannot print numbers of thousands of digits."""
    return type(value).__name__


@pytest.mark.parametrize("strange", STRANGE, ids=kind)
def test_a_strange_id_is_refused_everywhere(engine: Engine, strange: Any) -> None:
    refused(engine.recommend, strange)
    refused(engine.recommend_group, [reviewer_id(1), strange] if not isinstance(strange, list | dict) else [])
    refused(engine.similar, strange)
    refused(engine.similar_reviewers, strange)
    refused(engine.reviewers_for, strange)
    refused(engine.predict, [strange], [movie_id(1)])
    refused(engine.predictions, reviewer_id(1), [strange])
    refused(engine.recommend_for, {strange: 3} if not isinstance(strange, list | dict) else {})
    refused(engine.recommend, reviewer_id(1), only=[strange])
    refused(engine.title, strange)
    assert not engine.holds_movie(strange)


@pytest.mark.parametrize("number", [int, np.int64, np.uint16, np.array], ids=lambda kind: kind.__name__)
def test_a_whole_number_is_the_id_of_its_digits_everywhere(numbered: Engine, number: Any) -> None:
    one, two = number(10_001), number(10_002)
    if isinstance(one, np.ndarray):
        one, two = one[()], two[()]
    assert numbered.recommend(one, k=3, exclude=[two]) == numbered.recommend("10001", k=3, exclude=["10002"])
    lists = numbered.recommend_many(np.array([one, two]), k=2)
    assert lists == numbered.recommend_many(["10001", "10002"], k=2)
    assert lists.reviewer_ids == ("10001", "10002")
    assert numbered.recommend_for({one: 5, two: 3}, k=3) == numbered.recommend_for(
        {"10001": 5, "10002": 3}, k=3
    )
    assert numbered.recommend_group([one, two], k=3) == numbered.recommend_group(["10001", "10002"], k=3)
    assert numbered.similar(one, k=3) == numbered.similar("10001", k=3)
    assert numbered.similar_reviewers(one, k=3) == numbered.similar_reviewers("10001", k=3)
    assert numbered.reviewers_for(one, k=3) == numbered.reviewers_for("10001", k=3)
    assert numbered.predictions(one, [two]) == numbered.predictions("10001", ["10002"])
    assert numbered.predict([one], [two]).mean == numbered.predict("10001", "10002").mean
    assert numbered.movie(one) == numbered.movie("10001")
    assert numbered.reviewer(one) == numbered.reviewer("10001")
    assert numbered.title(one) == numbered.title("10001")
    assert numbered.holds_movie(one)
    assert numbered.known_movies([one]) == ["10001"]
    assert (numbered.score_all(one) == numbered.score_all("10001")).all()


def test_lists_of_many_reviewers_turn_into_a_frame(numbered: Engine) -> None:
    frame = numbered.recommend_many([10_001, 10_002, 10_001], k=4).to_frame()
    assert frame["reviewer_id"].tolist() == ["10001"] * 4 + ["10002"] * 4 + ["10001"] * 4
    assert frame["rank"].tolist() == [1, 2, 3, 4] * 3
    assert frame["price"].notna().all()
    for answers in (
        numbered.similar(10_001, k=3),
        numbered.similar_reviewers(10_001, k=3),
        numbered.reviewers_for(10_001, k=3),
        numbered.predictions(10_001, [10_001, 10_002, 10_003]),
        numbered.find_movies("Film", k=3),
        numbered.recommend_group([10_001, 10_002], k=3),
    ):
        assert len(answers.to_frame()) == answers.to_arrow().num_rows == 3
        assert answers._repr_html_().count("<tr>") == 4
    assert "manifest" not in numbered.info()._repr_html_()


def test_one_id_counts_as_a_list_of_one_id(numbered: Engine) -> None:
    assert numbered.recommend_many("10001", k=2) == [numbered.recommend("10001", k=2)]


@pytest.mark.parametrize("given", ["movie-index", Path("movie-index"), None, 5], ids=kind)
def test_an_engine_of_no_opened_index_is_told_how_to_open_one(given: Any) -> None:
    assert "open an index with Engine.load, such as Engine.load('movie-index')" in refused(Engine, given)


@pytest.mark.parametrize(
    "given", ["nowhere", Path("nowhere"), None, 5, b"nowhere", 1.5, ["nowhere"]], ids=kind
)
def test_what_is_no_directory_of_an_index_is_refused(given: Any) -> None:
    refused(Engine.load, given)


@pytest.mark.parametrize(
    "k", [0, -1, True, None, 2.0, "3", HUGE, -HUGE, UNPRINTABLE, 10**18, float("nan")], ids=kind
)
def test_a_strange_length_is_refused_everywhere(engine: Engine, k: Any) -> None:
    for question, asked in (
        (engine.recommend, reviewer_id(1)),
        (engine.recommend_for, {movie_id(1): 3}),
        (engine.recommend_group, [reviewer_id(1)]),
        (engine.similar, movie_id(1)),
        (engine.similar_reviewers, reviewer_id(1)),
        (engine.reviewers_for, movie_id(1)),
        (engine.find_movies, "Film"),
        (engine.list_columns, np.array([1])),
    ):
        assert "k must be" in refused(question, asked, k)


@pytest.mark.parametrize(
    "value", [True, None, "many", HUGE, -HUGE, UNPRINTABLE, float("nan"), float("inf"), []], ids=kind
)
def test_a_strange_option_is_refused(engine: Engine, value: Any) -> None:
    for name in ("diversity", "novelty"):
        assert name in refused(engine.recommend, reviewer_id(1), **{name: value})
    assert "rating" in refused(engine.recommend_for, {movie_id(1): value})
    if value is not None:
        assert "min_rating" in refused(engine.recommend, reviewer_id(1), min_rating=value)
        assert "where" in refused(engine.recommend, reviewer_id(1), where=value)
    if value not in (None, "many"):
        assert "format_preference" in refused(engine.recommend, reviewer_id(1), format_preference=value)
        assert "title" in refused(engine.find_movies, value)
    assert "fallback" in refused(engine.recommend, reviewer_id(1), fallback=value)


def test_whole_numbers_are_ids_and_lengths(engine: Engine) -> None:
    assert as_id(np.int64(7)) == "7"
    with pytest.raises(UnknownIdError, match="'7'"):
        engine.similar(7)  # type: ignore[arg-type]
    assert len(engine.similar(movie_id(1), np.int64(2))) == 2
    assert len(engine.recommend(reviewer_id(1), 1_000_000_000, all_variants=True)) > 300


def test_a_file_of_ids_is_read(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "ids").write_text(f"{movie_id(1)}\n")
    assert [one.movie_id for one in engine.recommend("nobody", only=tmp_path / "ids", fallback="popular")]
