from pathlib import Path

import pytest

from engine.errors import SourceError
from engine.questions.ratings import join_ratings, parse_pairs, read_ratings

RATINGS = {"M2": 4.0, "M1": 5.0, "a=b": 2.5}


def test_of_a_movie_given_twice_the_later_rating_counts() -> None:
    parsed = parse_pairs(["M1=2", "M2=4", "M1=5", "a=b=2.5"])
    assert parsed == RATINGS
    assert list(parsed) == ["M2", "M1", "a=b"]
    assert list(join_ratings({"M1": 1.0, "M3": 2.0}, parsed)) == ["M3", "M2", "M1", "a=b"]


def test_a_text_without_a_number_is_an_id() -> None:
    assert parse_pairs(["M1", "M2=", "=5", "x=y"]) == {"M1": None, "M2=": None, "=5": None, "x=y": None}


@pytest.mark.parametrize(
    "text",
    [
        "M1=2\nM2=4\nM1=5\na=b=2.5\n",
        "\ufeffmovie_id,rating\r\nM1,2\r\n\r\nM2,4\r\nM1,5\r\na=b,2.5\r\n",
        "M1,2\nM2,4\n  \nM1,5\na=b,2.5",
        'userId,movieId,rating,timestamp\n1,M2,4,0\n1,"M1",5,0\n1,a=b,2.5,0\n',
        "rating,Movie\n4,M2\n5,M1\n2.5,a=b\n",
    ],
)
def test_files_of_ratings_are_read_however_they_are_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ratings.txt"
    path.write_bytes(text.encode())
    assert read_ratings(path) == RATINGS
    assert list(read_ratings(path)) == list(RATINGS)


def test_a_file_may_hold_views(tmp_path: Path) -> None:
    path = tmp_path / "views.csv"
    path.write_text("movie_id\nM1\nM2\n")
    assert read_ratings(path) == {"M1": None, "M2": None}
    path.write_text("M1\nM2,\n")
    assert read_ratings(path) == {"M1": None, "M2": None}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no ratings"),
        (b"\n \r\n", "holds no ratings"),
        (b"movie_id,rating\n", "holds no ratings"),
        (b"M1,5\n\nM2,good\n", "Line 3 of .* is no rating: 'M2,good'"),
        (b"M1=good\n", "Line 1 of .* is no rating"),
        (b",5\n", "Line 1 of .* is no rating"),
        (b"M1,5\n\xff\xfe", "not UTF-8"),
    ],
)
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "ratings.txt"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        read_ratings(path)
    assert caught.value.path == path


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"Cannot read the ratings in .*nowhere"):
        read_ratings(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="directory"):
        read_ratings(tmp_path)
