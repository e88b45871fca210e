import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from engine.cli.main import main
from engine.errors import DataError, SourceError
from pipelines import evaluate
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.evaluation.given_candidates import read_candidates
from pipelines.measuring.ranking import rank_held_out

REVIEWERS = np.array(["R1", "R2", "R3"])
MOVIES = np.array(["A", "B", "C", "D"])


def reviews_of(pairs: list[tuple[int, int]]) -> Reviews:
    rows = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return make_reviews(rows[:, 0], rows[:, 1], None, None, num_reviewers=3, num_movies=4)


@pytest.mark.parametrize(
    "text",
    [
        "R1,A,C\nR3,B\n",
        "reviewer_id,movie_id\nR1,A\nR1,C\nR1,C\nR3,B\n",
        "R1\tA\tC\r\n\r\nR3\tB\r\n",
        "\ufeffR1, A ,C,\nR3,B,unknown\nnobody,A\n",
    ],
)
def test_candidates_are_read_with_commas_or_tabs_in_one_line_or_several(tmp_path: Path, text: str) -> None:
    path = tmp_path / "negatives.csv"
    path.write_bytes(text.encode())
    found = read_candidates(path, REVIEWERS, MOVIES)
    assert found.keys.tolist() == [0 * 4 + 0, 0 * 4 + 2, 2 * 4 + 1]
    assert (found.account["used"], found.account["reviewers"]) == (3, 2)
    unknown = int("unknown" in text)
    assert (found.account["unknown_reviewers"], found.account["unknown_movies"]) == (unknown, unknown)


def test_held_out_movies_join_the_candidates_of_those_who_have_some(tmp_path: Path) -> None:
    path = tmp_path / "negatives.csv"
    path.write_text("R1,A\n")
    found = read_candidates(path, REVIEWERS, MOVIES)
    assert found.with_held_out(reviews_of([(0, 3), (1, 2)])).tolist() == [0, 3]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("R1,A\nR2\n", SourceError, "Line 2 of .* names no movie"),
        ("nobody,A\nR1,nothing\n", DataError, "No pair of"),
        ("", DataError, "No pair of"),
    ],
)
def test_a_file_that_gives_no_candidates_is_refused(
    tmp_path: Path, text: str, error: type[Exception], message: str
) -> None:
    path = tmp_path / "negatives.csv"
    path.write_text(text)
    with pytest.raises(error, match=message):
        read_candidates(path, REVIEWERS, MOVIES)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Cannot read candidates"):
        read_candidates(tmp_path / "none.csv", REVIEWERS, MOVIES)


def test_only_candidates_are_ranked_and_only_for_those_who_have_some() -> None:
    scores = np.array([[9, 8, 7, 6], [9, 8, 7, 6], [6, 7, 8, 9]], dtype=np.float32)
    candidates = np.array([0 * 4 + 1, 0 * 4 + 3, 2 * 4 + 0, 2 * 4 + 1, 2 * 4 + 3])
    found = rank_held_out(
        lambda rows: scores[rows],
        reviews_of([(2, 3)]),
        reviews_of([(0, 3), (1, 3), (2, 0)]),
        k=(1, 3),
        candidates=candidates,
    )
    assert found.reviewer_rows.tolist() == [0, 2]
    assert found.top.tolist() == [[1, 3, -1], [1, 0, -1]]
    assert found.figures["hit_rate@3"].tolist() == [1, 1]
    assert found.figures["hit_rate@1"].tolist() == [0, 0]


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    path = tmp_path / "ratings.csv"
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(["reviewer", "movie", "rating", "time"])
        for reviewer in range(40):
            for movie in generator.permutation(20)[:8]:
                writer.writerow(
                    [f"R{reviewer:02}", f"M{movie:02}", generator.integers(1, 6), generator.integers(9999)]
                )
    return path


def test_all_movies_as_candidates_are_the_whole_catalogue(ratings: Path, tmp_path: Path) -> None:
    everything = tmp_path / "negatives.csv"
    movies = ",".join(f"M{movie:02}" for movie in range(20))
    everything.write_text("".join(f"R{reviewer:02},{movies}\n" for reviewer in range(40)))
    plain = evaluate([ratings], protocol="last-share", models=("popularity",))
    given = evaluate([ratings], protocol="last-share", models=("popularity",), negatives=everything)
    assert given.mean == plain.mean
    assert plain.to_dict()["negatives"] is None
    assert given.to_dict()["negatives"]["used"] == 800


def test_the_command_says_that_candidates_were_given(ratings: Path, tmp_path: Path) -> None:
    few = tmp_path / "negatives.tsv"
    few.write_text("R00\tM00\tM01\nR01\tM02\tM03\nR02\tM00\tM03\n")
    command = ["evaluate", str(ratings), "--protocol", "last-share", "--models", "popularity,biases"]
    shown = CliRunner().invoke(main, [*command, "--negatives", str(few)])
    assert shown.exit_code == 0, shown.output
    assert "ranked: only the held-out movies and 6 candidates" in shown.stdout
    assert "ranked: the whole catalogue" in CliRunner().invoke(main, command).stdout
    refused = CliRunner().invoke(main, [*command, "--negatives", str(tmp_path / "none.csv")])
    assert refused.exit_code == 1
    assert "no file of candidates" in refused.output


def test_given_pairs_take_candidates_too(ratings: Path, tmp_path: Path) -> None:
    lines = ratings.read_text().splitlines()
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text("\n".join(lines[:250]) + "\n")
    test.write_text("\n".join([lines[0], *lines[250:]]) + "\n")
    negatives = tmp_path / "negatives.csv"
    negatives.write_text("".join(f"R{reviewer:02},M00,M01,M02\n" for reviewer in range(40)))
    found = evaluate(pairs=[(train, test)], models=("popularity",), negatives=negatives).to_dict()
    json.dumps(found, allow_nan=False)
    assert found["negatives"]["used"] == 120
    assert found["mean"]["popularity"]["hit_rate@20"] == 1.0
