import subprocess
import sys
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from engine import answers
from engine.answers import (
    GroupRecommendation,
    LikelyReviewer,
    MoviePrediction,
    Reason,
    Recommendation,
    SimilarMovie,
    SimilarReviewer,
    TitleMatch,
    TopList,
)
from engine.catalogue.cards import CARD_FIELDS
from engine.errors import ConfigError
from engine.tables.answer import Answer, MovieAnswer
from engine.tables.columns import types_of
from engine.tables.lists import AnswerList, ListsOfReviewers

CARD = dict.fromkeys(CARD_FIELDS) | {
    "title": 'Zoë "&" 日本',
    "price": 9.5,
    "year": 1944,
    "links": ["https://a", "b"],
}


def recommendation(rank: int, **fields: Any) -> Recommendation:
    values: dict[str, Any] = {
        "rank": rank,
        "movie_id": f"M{rank}",
        "title": CARD["title"],
        "score": 1.5 / rank,
        "relevance": -0.25,
        "predicted_rating": 4.5,
        "rating_probabilities": {"1": 0.25, "5": 0.75},
        "card": CARD,
        "because": (Reason(movie_id="M9", title=None, rating=5.0, contribution=0.5),),
    }
    return Recommendation(**(values | fields))


LISTS = [
    TopList([recommendation(1), recommendation(2, because=None, predicted_rating=None)]),
    TopList(),
    TopList([recommendation(1)]),
]
KINDS = [
    Recommendation,
    GroupRecommendation,
    LikelyReviewer,
    MoviePrediction,
    SimilarMovie,
    SimilarReviewer,
    TitleMatch,
]


def test_a_list_is_a_plain_list_of_its_answers() -> None:
    items = [recommendation(1), recommendation(2)]
    assert TopList(items) == items
    assert TopList(items)[:1] == items[:1]
    assert ListsOfReviewers([TopList(items)], ["a"], Recommendation) == [items]


def test_a_frame_has_a_row_for_each_answer_and_a_column_for_each_field() -> None:
    frame = TopList(LISTS[0]).to_frame()
    assert list(frame["rank"]) == [1, 2]
    assert list(frame["title"]) == [CARD["title"]] * 2
    assert list(frame["score"]) == [1.5, 0.75]
    assert frame["price"].tolist() == [9.5, 9.5]
    assert frame["year"].tolist() == [1944, 1944]
    assert frame["predicted_rating"].isna().tolist() == [False, True]
    assert frame["because"][0][0] == {"movie_id": "M9", "title": None, "rating": 5.0, "contribution": 0.5}
    assert frame["rating_probabilities"][0] == {"1": 0.25, "5": 0.75}
    assert set(CARD_FIELDS) <= set(frame.columns)


@pytest.mark.parametrize("kind", KINDS)
def test_the_types_of_columns_depend_on_the_class_alone(kind: type[Any]) -> None:
    empty = AnswerList((), kind).to_arrow()
    assert empty.num_rows == 0
    assert set(empty.column_names) == set(types_of(kind))
    kinds = {str(field.type) for field in empty.schema}
    assert "null" not in kinds


def test_a_full_and_an_empty_list_have_the_same_schema() -> None:
    full, empty = TopList(LISTS[0]), TopList()
    assert full.to_arrow().schema == empty.to_arrow().schema
    assert full.to_polars().schema == empty.to_polars().schema
    assert list(full.to_frame().columns) == list(empty.to_frame().columns)


def test_lists_of_reviewers_have_a_column_of_the_reviewers_ids() -> None:
    lists = ListsOfReviewers(LISTS, ["ann", "ben", "17"], Recommendation)
    frame = lists.to_frame()
    assert frame[["reviewer_id", "rank", "movie_id"]].values.tolist() == [
        ["ann", 1, "M1"],
        ["ann", 2, "M2"],
        ["17", 1, "M1"],
    ]
    nobody = ListsOfReviewers([], [], Recommendation)
    assert list(nobody.to_frame().columns) == list(frame.columns)


def test_arrow_and_polars_hold_what_the_frame_holds() -> None:
    lists = ListsOfReviewers(LISTS, ["ann", "ben", "cid"], Recommendation)
    columns = ["reviewer_id", "rank", "movie_id", "title", "score", "price"]
    expected = lists.to_frame()[columns].to_dict("list")
    assert lists.to_arrow().select(columns).to_pydict() == expected
    assert lists.to_polars().select(columns).to_dict(as_series=False) == expected
    streamed = pa.RecordBatchReader.from_stream(lists).read_all()
    assert streamed.select(columns).to_pydict() == expected
    assert isinstance(lists.to_polars(), pl.DataFrame)
    assert isinstance(lists.to_frame(), pd.DataFrame)


@pytest.mark.parametrize("name", ["pandas", "pyarrow", "polars"])
def test_a_missing_library_is_named_in_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    method = {"pandas": "to_frame", "pyarrow": "to_arrow", "polars": "to_polars"}[name]
    with pytest.raises(ConfigError, match=f"install it with: pip install {name}"):
        getattr(TopList(), method)()


def test_neither_pandas_nor_polars_nor_the_stream_needs_pyarrow() -> None:
    script = """
import sys
sys.modules["pyarrow"] = None
import pandas, polars
from engine.answers import SimilarMovie, TopList
from engine.tables.lists import AnswerList
from pipelines.inputs.named import inputs_of
one = SimilarMovie(rank=1, movie_id="M", title="T", similarity=0.5, card={"price": 2.0})
found = AnswerList([one], SimilarMovie)
assert found.to_frame()["price"][0] == 2.0 and found.to_polars()["price"][0] == 2.0
assert found.__arrow_c_stream__() is not None
for table in (found, found.to_frame(), found.to_polars(), found.to_polars().lazy()):
    with inputs_of(table) as (inputs, _):
        assert inputs[0].file.stat().st_size
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_field_of_a_card_is_an_attribute_of_an_answer() -> None:
    card = {name: name for name in CARD_FIELDS}
    movie = recommendation(1, title="title", card=card)
    assert {name: getattr(movie, name) for name in CARD_FIELDS} == card
    with pytest.raises(AttributeError):
        _ = recommendation(1).prize


def test_every_answer_about_a_movie_with_a_card_has_its_attributes() -> None:
    kinds = [kind for kind in vars(answers).values() if isinstance(kind, type) and issubclass(kind, Answer)]
    with_card = [kind for kind in kinds if "card" in getattr(kind, "__dataclass_fields__", {})]
    assert len(with_card) >= 4
    assert all(issubclass(kind, MovieAnswer) for kind in with_card)
