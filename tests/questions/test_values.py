"""Whatever Python values a question is asked with: an answer, or one sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_index import movie_id, reviewer_id, write_index

from engine import Engine
from engine.errors import EngineError, UnknownIdError
from engine.questions.ids import as_id

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
