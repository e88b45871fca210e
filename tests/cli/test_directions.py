import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from engine.answers import LikelyReviewer, MoviePrediction, Reason, SimilarMovie, SimilarReviewer, TitleMatch
from engine.cli.main import main
from engine.errors import DataError, TitleError, UnknownIdError

REASONS = (
    Reason(movie_id="M1", title="Laura", rating=5.0, contribution=0.5),
    Reason(movie_id="M2", title=None, rating=None, contribution=0.1),
)
MATCHES = tuple(
    TitleMatch(movie_id=f"M{row}", title=f"Star {row}", match="prefix", year=1977, movie_count=9 - row)
    for row in range(25)
)


class FakeEngine:
    """Answers as the engine does, about one movie and two reviewers."""

    rated = True

    @classmethod
    def load(cls, path: Path) -> "FakeEngine":
        return cls()

    def title(self, movie_id: str) -> str | None:
        if movie_id == "nosuch":
            raise UnknownIdError("movie", movie_id, "movie-index")
        return f"Title of {movie_id}"

    def known_movies(self, movie_ids: tuple[str, ...]) -> list[str]:
        known = [movie_id for movie_id in dict.fromkeys(movie_ids) if movie_id != "nosuch"]
        if not known:
            self.title("nosuch")
        return known

    def reviewers_for(self, movie_id: str, k: int, *, because: bool) -> list[LikelyReviewer]:
        self.title(movie_id)
        rating = 4.56 if self.rated else None
        return [
            LikelyReviewer(
                rank=1,
                reviewer_id="R1",
                score=1.0,
                relevance=1.5,
                predicted_rating=rating,
                median_rating=rating,
                like_probability=0.93 if self.rated else None,
                rating_probabilities={"1.0": 0.07, "5.0": 0.93} if self.rated else None,
                because=REASONS if because else None,
            )
        ]

    def similar_reviewers(self, reviewer_id: str, k: int) -> list[SimilarReviewer]:
        return [SimilarReviewer(rank=1, reviewer_id="R2", similarity=0.5, num_shared=3, num_reviews=7)][:k]

    def predictions(self, reviewer_id: str, movie_ids: list[str]) -> list[MoviePrediction]:
        if not self.rated:
            raise DataError("built from data without ratings")
        return [
            MoviePrediction(
                movie_id=movie_id,
                title=self.title(movie_id),
                predicted_rating=4.561,
                median_rating=5.0,
                like_probability=0.9,
                interval=(3.0, 5.0),
                rating_probabilities={"1.0": 0.1, "5.0": 0.9},
            )
            for movie_id in movie_ids
        ]

    def find_movie(self, title: str) -> TitleMatch:
        if title == "star":
            raise TitleError(title, MATCHES)
        if title == "zzz":
            raise TitleError(title, ())
        return MATCHES[2]

    def similar(self, movie_id: str, k: int, **options: Any) -> list[SimilarMovie]:
        return [SimilarMovie(rank=1, movie_id=f"like {movie_id}", title="Gilda", similarity=0.5, card={})]


@pytest.fixture(autouse=True)
def _fake_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.recommender.Engine", FakeEngine)


def run(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(main, arguments, **options)


def test_the_reviewers_to_tell_are_a_table_for_people() -> None:
    result = run("recommend", "movie", "M9", "-k", "2")
    assert result.stdout.splitlines() == [
        "#  reviewer  stars  like  because of",
        "1  R1          4.6   93%  Laura, M2",
    ]
    assert result.stderr == "To tell about Title of M9:\nOnly one reviewer can be listed.\n"
    assert "because" not in run("recommend", "movie", "M9", "-k", "1", "--no-because").stdout


def test_the_reviewers_to_tell_are_json_for_programs() -> None:
    answer = json.loads(run("recommend", "movie", "M9", "-k", "1", "--json").stdout)
    assert {name: answer[name] for name in ("movie_id", "title", "k")} == {
        "movie_id": "M9",
        "title": "Title of M9",
        "k": 1,
    }
    (found,) = answer["reviewers"]
    assert found["reviewer_id"] == "R1"
    assert found["because"][0] == {"movie_id": "M1", "title": "Laura", "rating": 5.0, "contribution": 0.5}
    without = json.loads(run("recommend", "movie", "M9", "--json", "--no-because").stdout)
    assert without["reviewers"][0]["because"] is None


def test_without_ratings_relevance_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEngine, "rated", False)
    result = run("recommend", "movie", "M9", "-k", "1")
    assert result.stdout.splitlines()[0].split() == ["#", "reviewer", "relevance", "because", "of"]
    result = run("predict", "R1", "M1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "without ratings" in result.stderr


def test_reviewers_of_near_taste_are_shown() -> None:
    result = run("similar", "reviewer", "R1", "-k", "1")
    assert result.stdout.splitlines() == [
        "#  reviewer  similarity  shared  reviews",
        "1  R2            0.5000       3        7",
    ]
    answer = json.loads(run("similar", "reviewer", "R1", "--json").stdout)
    assert answer["reviewer_id"] == "R1"
    assert answer["similar"][0]["num_shared"] == 3


def test_a_prediction_shows_mean_median_interval_and_chances() -> None:
    result = run("predict", "R1", "M1", "M2")
    assert result.stdout.splitlines() == [
        "movie  title        mean  median  interval  like    1    5",
        "M1     Title of M1  4.56       5  3 to 5     90%  10%  90%",
        "M2     Title of M2  4.56       5  3 to 5     90%  10%  90%",
    ]
    (found,) = json.loads(run("predict", "R1", "M1", "--json").stdout)["predictions"]
    assert found["interval"] == {"low": 3.0, "high": 5.0}
    assert found["rating_probabilities"] == {"1.0": 0.1, "5.0": 0.9}


def test_an_unknown_movie_among_known_ones_is_skipped() -> None:
    result = run("predict", "R1", "M1", "nosuch", "M1", "--json")
    assert result.exit_code == 0
    assert [found["movie_id"] for found in json.loads(result.stdout)["predictions"]] == ["M1"]
    result = run("predict", "R1", "nosuch", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Error: No movie 'nosuch'" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("similar", "movie"),
        ("similar", "movie", "M1", "--title", "star"),
        ("predict", "R1"),
        ("recommend", "movie"),
        ("similar", "reviewer"),
    ],
)
def test_a_question_about_nothing_or_about_two_things_is_wrong_usage(words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


@pytest.mark.parametrize("words", [("recommend", "movie", "M1"), ("similar", "reviewer", "R1")])
def test_k_is_at_least_one(words: tuple[str, ...]) -> None:
    result = run(*words, "-k", "0")
    assert result.exit_code == 2
    assert "at least 1" in result.stderr


def test_a_movie_is_asked_for_by_a_piece_of_its_title() -> None:
    result = run("similar", "movie", "--title", "laura")
    assert result.exit_code == 0
    assert "Like Title of M2:" in result.stderr
    assert "like M2" in result.stdout


def test_an_ambiguous_title_fails_with_the_choices_where_nobody_can_be_asked() -> None:
    result = run("similar", "movie", "--title", "star")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "'star' may mean 25 movies" in result.stderr
    assert "M3 Star 3" in result.stderr
    result = run("similar", "movie", "--title", "star", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["matches"][0] == {
        "movie_id": "M0",
        "title": "Star 0",
        "match": "prefix",
        "year": 1977,
        "movie_count": 9,
    }
    assert "No title is like 'zzz'" in run("similar", "movie", "--title", "zzz").stderr


def test_an_ambiguous_title_is_asked_about_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "engine.cli.title_option.sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    )
    result = run("similar", "movie", "--title", "star", input="4\n")
    assert result.exit_code == 0
    assert "like M3" in result.stdout
    assert "4  M3  Star 3" in result.stderr
    assert "and 5 more" in result.stderr
    assert "like M0" in run("similar", "movie", "--title", "star", input="\n").stdout
    assert run("similar", "movie", "--title", "zzz").exit_code == 1
