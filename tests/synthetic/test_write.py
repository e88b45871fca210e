"""What the generator promises is checked by reading its files back in plain Python."""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner

from engine.errors import ConfigError
from pipelines.synthetic.__main__ import main
from pipelines.synthetic.catalogue import draw_catalogue
from pipelines.synthetic.dirt import DirtRates
from pipelines.synthetic.films import TASTES, film_of_taste
from pipelines.synthetic.sample import sample_files, write_sample
from pipelines.synthetic.write import write_synthetic

NUM_REVIEWS = 30_000


def lines_of(path: Path) -> Iterator[dict[str, Any] | None]:
    """Gives each line's object, or None where it is not JSON."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:
                yield None


class Written(NamedTuple):
    reviews: list[dict[str, Any] | None]
    metadata: list[dict[str, Any] | None]
    truth: dict[str, Any]

    @property
    def readable(self) -> list[dict[str, Any]]:
        needed = ("reviewerID", "asin", "overall")
        return [review for review in self.reviews if review and all(name in review for name in needed)]

    @property
    def movies(self) -> dict[str, dict[str, Any]]:
        return {movie["asin"]: movie for movie in self.metadata if movie}

    def count_movies(self, fits: Callable[[dict[str, Any]], bool]) -> int:
        return sum(fits(movie) for movie in self.movies.values())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    files = write_synthetic(tmp_path_factory.mktemp("synthetic"), num_reviews=NUM_REVIEWS, seed=3)
    truth = json.loads(files.truth.read_text(encoding="utf-8"))
    return Written(list(lines_of(files.reviews)), list(lines_of(files.metadata)), truth)


def test_the_review_lines_of_each_kind_are_those_of_the_truth(written: Written) -> None:
    truth = written.truth["reviews"]
    pairs = Counter((review["reviewerID"], review["asin"]) for review in written.readable)
    parsed = [review for review in written.reviews if review is not None]

    assert len(written.reviews) == truth["lines"] == NUM_REVIEWS
    assert len(written.reviews) - len(parsed) == truth["malformed"] > 0
    for name in ("reviewerID", "asin", "overall"):
        assert sum(name not in review for review in parsed) == truth[f"missing_{name}"] > 0
    assert len(pairs) == truth["kept"] == truth["originals"] + truth["copied"]
    assert max(pairs.values()) == 2
    assert sum(pairs.values()) - len(pairs) == truth["repeated_pairs"] > 0
    assert len({movie for _, movie in pairs}) == truth["movies"]
    kinds = ("kept", "repeated_pairs", "malformed", "missing")
    assert truth["lines"] == sum(truth[kind] for kind in kinds)


def test_a_repeated_pair_is_a_later_edit(written: Written) -> None:
    times: dict[tuple[str, str], list[int]] = {}
    for review in written.readable:
        times.setdefault((review["reviewerID"], review["asin"]), []).append(review["unixReviewTime"])
    assert all(len(set(pair)) == len(pair) for pair in times.values())


def test_copies_are_word_for_word_under_another_edition_of_the_film(written: Written) -> None:
    film_of = {movie: group[0] for group in written.truth["editions"] for movie in group}
    groups: dict[tuple[object, ...], set[str]] = {}
    for review in written.readable:
        movie = review["asin"]
        rest = tuple(str(value) for name, value in review.items() if name != "asin")
        groups.setdefault((film_of.get(movie, movie), rest), set()).add(movie)
    copies = sum(len(movies) - 1 for movies in groups.values())
    assert copies == written.truth["reviews"]["copied"] > 0


def test_the_metadata_lines_of_each_kind_are_those_of_the_truth(written: Written) -> None:
    truth = written.truth["metadata"]
    lines = Counter(movie["asin"] for movie in written.metadata if movie)

    assert len(written.metadata) == truth["lines"]
    assert written.metadata.count(None) == truth["malformed_metadata"] > 0
    assert len(lines) == truth["movies"] == len(written.truth["movies"]) - truth["missing_metadata"]
    assert sum(count == 2 for count in lines.values()) == truth["repeated_metadata"] > 0
    assert max(lines.values()) == 2


@pytest.mark.parametrize(
    ("kind", "fits"),
    [
        ("html_titles", lambda movie: movie["title"].startswith("<span") and "</span>" in movie["title"]),
        ("lost_titles", lambda movie: movie["title"].startswith("<span") and ">" not in movie["title"]),
        ("entity_titles", lambda movie: "&#40;" in movie["title"]),
        ("entity_categories", lambda movie: "Movies &amp; TV" in movie["category"]),
        ("css_prices", lambda movie: "{" in movie["price"]),
        ("thousand_prices", lambda movie: movie["price"].endswith(".50") and "," in movie["price"]),
        ("empty_prices", lambda movie: movie["price"] == ""),
        ("rank_lists", lambda movie: isinstance(movie["rank"], list) and len(movie["rank"]) > 0),
        ("rank_empty", lambda movie: movie["rank"] == []),
        ("details_html", lambda movie: str(movie["details"]).startswith("<div")),
        ("details_empty", lambda movie: movie["details"] == ""),
        ("empty_lists", lambda movie: movie["also_buy"] == movie["also_view"] == movie["feature"] == ""),
    ],
)
def test_each_kind_of_metadata_dirt_is_there_as_often_as_the_truth_says(
    written: Written, kind: str, fits: Callable[[dict[str, Any]], bool]
) -> None:
    assert written.count_movies(fits) == written.truth["metadata"][kind] > 0


def test_most_details_of_long_files_are_the_html_of_a_page(written: Written) -> None:
    pages = written.count_movies(lambda movie: "a-text-normal" in str(movie["details"]))
    objects = written.count_movies(lambda movie: isinstance(movie["details"], dict))
    assert pages > 2 * objects > 0


def test_without_dirt_every_line_is_a_whole_review_of_another_pair(tmp_path: Path) -> None:
    files = write_synthetic(tmp_path, num_reviews=5_000, seed=1, dirt=DirtRates.none(), compress=False)
    reviews = list(lines_of(files.reviews))
    movies = list(lines_of(files.metadata))
    assert files.reviews.name == "reviews.json"
    assert (
        len({(review["reviewerID"], review["asin"]) for review in reviews if review}) == len(reviews) == 5_000
    )
    assert len({movie["asin"] for movie in movies if movie}) == len(movies)
    assert json.loads(files.truth.read_text())["reviews"]["kept"] == 5_000


def test_the_shape_is_the_published_one(written: Written) -> None:
    stars = np.array([review["overall"] for review in written.readable])
    assert stars.mean() == pytest.approx(4.43, abs=0.03)
    assert stars.std() == pytest.approx(1.11, abs=0.03)
    assert np.quantile(stars, [0.25, 0.5, 0.75]).tolist() == [4, 5, 5]

    by_reviewer = np.array(list(Counter(review["reviewerID"] for review in written.readable).values()))
    assert len(by_reviewer) == round(NUM_REVIEWS / 2.3)
    assert by_reviewer.mean() == pytest.approx(2.3, abs=0.05)
    assert np.median(by_reviewer) == 1
    assert by_reviewer.max() > 50

    by_movie = np.array(list(Counter(review["asin"] for review in written.readable).values()))
    assert np.median(by_movie) in (2, 3)
    assert 0.003 < by_movie.max() / NUM_REVIEWS < 0.012
    assert len(by_movie) > 0.99 * len(written.truth["movies"])

    verified = np.mean([review["verified"] for review in written.readable])
    assert verified == pytest.approx(0.8, abs=0.01)
    years = Counter(int(review["reviewTime"][-4:]) for review in written.readable)
    assert sorted(years) == list(range(1998, 2019))
    assert years[2018] / NUM_REVIEWS == pytest.approx(0.034, abs=0.008)
    assert years[1998] < years[2003] < years[2008] < years[2013]


def test_the_date_and_the_time_of_a_review_agree(written: Written) -> None:
    for review in written.readable[:2_000]:
        day = np.datetime64(review["unixReviewTime"], "s").astype("datetime64[D]")
        month_and_day, year = review["reviewTime"].split(", ")
        month, day_of_month = month_and_day.split(" ")
        assert str(day) == f"{year}-{month}-{int(day_of_month):02d}"


def test_nobody_reviews_a_film_before_it_is_out(written: Written) -> None:
    years = {movie: facts["year"] for movie, facts in written.truth["movies"].items()}
    assert all(int(review["reviewTime"][-4:]) >= years[review["asin"]] for review in written.readable)


def test_reviewers_come_to_their_own_taste_and_rate_it_higher(written: Written) -> None:
    taste_of_movie = {movie: facts["taste"] for movie, facts in written.truth["movies"].items()}
    taste_of_reviewer = written.truth["reviewer_tastes"]
    own = np.array(
        [
            taste_of_movie[review["asin"]] == TASTES[taste_of_reviewer[review["reviewerID"]]]
            for review in written.readable
        ]
    )
    stars = np.array([review["overall"] for review in written.readable])
    assert 0.6 < own.mean() < 0.9
    assert stars[own].mean() > stars[~own].mean() + 0.3


def test_bought_together_follows_the_tastes(written: Written) -> None:
    taste_of = {movie: facts["taste"] for movie, facts in written.truth["movies"].items()}
    links = [(movie_id, other) for movie_id, movie in written.movies.items() for other in movie["also_buy"]]
    assert len(links) > 1_000
    assert all(taste_of[movie] == taste_of[other] and movie != other for movie, other in links)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(tmp_path: Path) -> None:
    first, again, other = (
        write_synthetic(tmp_path / name, num_reviews=3_000, seed=seed)
        for name, seed in (("first", 5), ("again", 5), ("other", 6))
    )
    for one, two, three in zip(first, again, other, strict=True):
        assert one.read_bytes() == two.read_bytes()
        assert one.read_bytes() != three.read_bytes()


@pytest.mark.parametrize("num_reviews", [1, 2, 3, 10, 57, 1_000])
def test_small_sizes_are_honoured(tmp_path: Path, num_reviews: int) -> None:
    files = write_synthetic(tmp_path, num_reviews=num_reviews, compress=False)
    assert len(list(lines_of(files.reviews))) == num_reviews


def test_the_reviewers_and_movies_asked_for_are_written(tmp_path: Path) -> None:
    files = write_synthetic(
        tmp_path, num_reviews=4_000, num_reviewers=500, num_movies=200, dirt=DirtRates.none()
    )
    reviews = [review for review in lines_of(files.reviews) if review]
    assert len({review["reviewerID"] for review in reviews}) == 500
    assert len({review["asin"] for review in reviews}) == 200


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"num_reviews": 0}, "at least one of each"),
        ({"num_reviews": 100, "num_reviewers": 99}, "too many for 100 review lines"),
        ({"num_reviews": 1_000, "num_reviewers": 3, "num_movies": 40}, "too few for 1,000 reviews"),
        ({"num_reviews": 100, "seed": -1}, "The seed is -1"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(tmp_path: Path, sizes: dict[str, int], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        write_synthetic(tmp_path / "none", **sizes)
    assert not (tmp_path / "none").exists()


def test_dirt_rates_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"html_titles is 0\.7"):
        DirtRates(html_titles=0.7)
    with pytest.raises(ConfigError, match="60% of the review lines"):
        DirtRates(repeated_pairs=0.3, copied_reviews=0.2985)


def test_every_taste_has_forty_real_films_and_no_title_and_year_twice() -> None:
    films = [film_of_taste(taste, number) for taste in TASTES for number in range(2_000)]
    assert len({(film.title, film.year) for film in films}) == len(films)
    for taste in TASTES:
        assert sum(not film.invented for film in films if film.taste == taste) == 40
    assert {"Stagecoach", "Alien"} <= {film.title for film in films if not film.invented}


def test_movie_ids_are_ten_characters_and_never_repeat() -> None:
    catalogue = draw_catalogue(20_000, 0.08, seed=9)
    assert len(set(catalogue.movie_ids)) == 20_000
    assert {len(movie_id) for movie_id in catalogue.movie_ids} == {10}
    assert any(movie_id.isdigit() and movie_id.startswith("0") for movie_id in catalogue.movie_ids)


def test_memory_does_not_grow_with_the_reviews(tmp_path: Path) -> None:
    """The pieces that are written are chunks of a bounded number of lines, whatever the size."""
    from pipelines.synthetic.reviews import ReviewTruth, review_chunks

    catalogue = draw_catalogue(300, 0.08, seed=9)
    truth = ReviewTruth(np.zeros(300, dtype=np.bool_))
    pieces = review_chunks(catalogue, 200_000, 80_000, 9, DirtRates(), truth)
    sizes = [piece.count("\n") for piece in pieces]
    assert sum(sizes) == 200_000
    assert max(sizes) <= 60_000
    assert not truth.reviewer_tastes


def test_the_committed_sample_is_what_the_generator_writes(tmp_path: Path) -> None:
    committed = Path(__file__).parents[2] / "data" / "sample"
    for written in write_sample(tmp_path):
        opener = gzip.open if written.suffix == ".gz" else open
        with opener(written, "rb") as ours, opener(committed / written.name, "rb") as theirs:
            assert ours.read() == theirs.read(), (
                f"{written.name} differs: write the sample again, see data/README.md"
            )
    sizes = [path.stat().st_size for path in committed.iterdir()]
    assert max(sizes) < 400_000
    assert sum(sizes) < 500_000


def test_the_sample_is_found_in_a_checkout_and_written_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample_files.cache_clear()
    found = sample_files()
    assert found.reviews.parent.name == "sample"
    sample_files.cache_clear()
    installed = tmp_path / "site-packages" / "pipelines" / "synthetic" / "sample.py"
    monkeypatch.setattr("pipelines.synthetic.sample.__file__", str(installed))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = sample_files()
    sample_files.cache_clear()
    assert made.reviews.is_relative_to(tmp_path)
    assert list(lines_of(made.reviews)) == list(lines_of(found.reviews))
    assert list(lines_of(made.metadata)) == list(lines_of(found.metadata))


def test_the_command_writes_the_files_and_refuses_in_one_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        main, ["--reviews", "500", "--output", str(tmp_path / "out"), "--plain", "--clean"]
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "reviews.json").read_text().count("\n") == 500
    refused = CliRunner().invoke(main, ["--reviews", "0", "--output", str(tmp_path / "out")])
    assert refused.exit_code == 1
    assert "at least one of each" in refused.output
