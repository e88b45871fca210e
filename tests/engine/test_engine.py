"""What the engine answers, held against scoring every movie, on one index of the bundled sample."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from engine import Engine
from engine.answers import Recommendation
from engine.artifact.ids import IdTable
from engine.artifact.reader import Artifact
from engine.catalogue.cards import MovieCards
from engine.config.sections import load_config
from engine.errors import ConfigError, DataError, UnknownIdError
from pipelines import build_index

pytestmark = pytest.mark.slow
CONDITIONS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "year >= 1980": lambda card: card["year"] is not None and card["year"] >= 1980,
    "price < 8 and movie_count > 5": lambda card: (
        card["price"] is not None and card["price"] < 8 and card["movie_count"] > 5
    ),
    "title ilike '%the%'": lambda card: (
        card["title"] is not None and card["title_source"] is None and "the" in card["title"].lower()
    ),
    "price is null or average_rating >= 4.5": lambda card: (
        card["price"] is None or card["average_rating"] >= 4.5
    ),
    "year between 1940 and 1942": lambda card: card["year"] is not None and 1940 <= card["year"] <= 1942,
    "year > 3000": lambda card: False,
}


class Contents(NamedTuple):
    """What the index holds, read past the engine."""

    engine: Engine
    reviewer_ids: list[str]
    movie_ids: list[str]
    seen: dict[str, set[str]]
    cards: list[Mapping[str, Any]]


@pytest.fixture(scope="module")
def index(sample_index: Path) -> Contents:
    artifact = Artifact.open(sample_index)
    reviewers, movies = (
        list(IdTable(artifact.array(f"{kind}_ids"), artifact.array(f"{kind}_id_offsets")))
        for kind in ("reviewer", "movie")
    )
    slices = np.split(artifact.array("history_movie_rows"), artifact.array("history_offsets")[1:-1])
    seen = {reviewer: {movies[row] for row in rows} for reviewer, rows in zip(reviewers, slices, strict=True)}
    cards = MovieCards(artifact.array("movie_cards"), artifact.array("movie_card_offsets"))
    every_card = [cards.card(row) for row in range(len(movies))]
    return Contents(Engine.load(sample_index), reviewers, movies, seen, every_card)


@pytest.fixture(scope="module")
def some(index: Contents) -> list[str]:
    return index.reviewer_ids[::60]


def ids(recommendations: list[Recommendation]) -> list[str]:
    return [recommendation.movie_id for recommendation in recommendations]


def scores_by_id(index: Contents, reviewer_id: str) -> dict[str, float]:
    return dict(zip(index.movie_ids, index.engine.score_all(reviewer_id).tolist(), strict=True))


def test_a_batch_of_lists_is_that_of_single_ones(index: Contents, some: list[str]) -> None:
    batch = index.engine.recommend_many(some, 7)
    for reviewer_id, found in zip(some, batch, strict=True):
        single = index.engine.recommend(reviewer_id, 7)
        assert ids(single) == ids(found)
        np.testing.assert_allclose([r.score for r in single], [r.score for r in found], atol=1e-5)
    assert index.engine.recommend_many([]) == []


def test_a_batch_may_be_longer_than_the_engine_works_at_once(index: Contents) -> None:
    many = (index.reviewer_ids * 2)[:600]
    lists = index.engine.recommend_many(many, 1)
    assert len(lists) == 600
    by_reviewer = dict(zip(many, map(ids, lists), strict=True))
    assert by_reviewer[many[0]] == ids(index.engine.recommend(many[0], 1))
    assert by_reviewer[many[-1]] == ids(index.engine.recommend(many[-1], 1))


def test_seen_movies_are_never_recommended(index: Contents) -> None:
    lists = index.engine.recommend_many(index.reviewer_ids, 20)
    for reviewer_id, found in zip(index.reviewer_ids, lists, strict=True):
        assert len(found) == 20
        assert not index.seen[reviewer_id] & set(ids(found))


def test_seen_movies_are_listed_where_they_are_wanted(index: Contents, some: list[str]) -> None:
    for reviewer_id in some:
        every = index.engine.recommend(
            reviewer_id, len(index.movie_ids), include_seen=True, all_variants=True
        )
        assert sorted(ids(every)) == index.movie_ids
        matching = index.engine.recommend(
            reviewer_id, 1000, include_seen=True, all_variants=True, where="movie_count >= 0"
        )
        assert set(ids(matching)) >= index.seen[reviewer_id]


@pytest.mark.parametrize("extra", [0, 10_000])
def test_a_k_beyond_the_catalogue_lists_all_that_is_unseen(
    index: Contents, some: list[str], extra: int
) -> None:
    for reviewer_id in some:
        found = index.engine.recommend(reviewer_id, len(index.movie_ids) + extra, all_variants=True)
        assert set(ids(found)) == set(index.movie_ids) - index.seen[reviewer_id]
        assert len(found) == len(set(ids(found)))


def test_lists_are_ordered_by_score_and_then_by_id(index: Contents, some: list[str]) -> None:
    for reviewer_id in some:
        found = index.engine.recommend(reviewer_id, 600)
        keys = [(-recommendation.score, recommendation.movie_id) for recommendation in found]
        assert keys == sorted(keys)
        assert [recommendation.rank for recommendation in found] == list(range(1, len(found) + 1))
        expected = scores_by_id(index, reviewer_id)
        np.testing.assert_allclose(
            [recommendation.score for recommendation in found],
            [expected[recommendation.movie_id] for recommendation in found],
            atol=1e-4,
        )


def test_two_stages_find_what_scoring_every_movie_finds(index: Contents) -> None:
    lists = index.engine.recommend_many(index.reviewer_ids, 10, all_variants=True)
    recalls = []
    for reviewer_id, found in zip(index.reviewer_ids, lists, strict=True):
        scores = scores_by_id(index, reviewer_id)
        unseen = [movie_id for movie_id in index.movie_ids if movie_id not in index.seen[reviewer_id]]
        best = sorted(unseen, key=lambda movie_id: (-scores[movie_id], movie_id))[:10]
        recalls.append(len(set(best) & set(ids(found))) / 10)
    assert np.mean(recalls) >= 0.99


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_holds_for_the_whole_list_which_is_short_only_where_movies_run_out(
    index: Contents, some: list[str], condition: str
) -> None:
    matching = {
        movie_id
        for movie_id, card in zip(index.movie_ids, index.cards, strict=True)
        if CONDITIONS[condition](card)
    }
    assert bool(matching) == (condition != "year > 3000")
    for k in (10, 40):
        lists = index.engine.recommend_many(some, k, where=condition, all_variants=True)
        for reviewer_id, found in zip(some, lists, strict=True):
            scores = scores_by_id(index, reviewer_id)
            open_movies = matching - index.seen[reviewer_id]
            assert set(ids(found)) <= open_movies
            best = sorted((scores[movie_id] for movie_id in open_movies), reverse=True)[:k]
            np.testing.assert_allclose([recommendation.score for recommendation in found], best, atol=1e-4)
    similar = index.engine.similar(index.movie_ids[3], 10, where=condition, all_variants=True)
    others = matching - {index.movie_ids[3]}
    assert {movie.movie_id for movie in similar} <= others
    assert len(similar) == min(10, len(others))


def test_similar_movies_are_others_most_alike_first(index: Contents) -> None:
    for movie_id in index.movie_ids[::25]:
        similar = index.engine.similar(movie_id, 15)
        keys = [(-movie.similarity, movie.movie_id) for movie in similar]
        assert len(similar) == 15
        assert keys == sorted(keys)
        assert movie_id not in {movie.movie_id for movie in similar}
        assert [movie.rank for movie in similar] == list(range(1, 16))
        assert all(-1.0 <= movie.similarity <= 1.0 + 1e-6 for movie in similar)


def test_similar_movies_are_the_same_with_a_condition_that_all_meet(index: Contents) -> None:
    for movie_id in index.movie_ids[::50]:
        found = index.engine.similar(movie_id, 10)
        every = index.engine.similar(movie_id, 10, where="movie_count >= 0")
        np.testing.assert_allclose(
            [movie.similarity for movie in found], [movie.similarity for movie in every], atol=1e-5
        )


def test_similar_movies_end_with_the_catalogue(index: Contents) -> None:
    similar = index.engine.similar(index.movie_ids[0], 10_000, all_variants=True)
    assert {movie.movie_id for movie in similar} == set(index.movie_ids[1:])


def films_of(index: Contents) -> dict[str, int]:
    """A number of each movie's film, by the movie's id."""
    groups = Artifact.open(index.engine.info()["directory"]).array("variant_groups")
    return {
        movie_id: int(group) if group >= 0 else -1 - row
        for row, (movie_id, group) in enumerate(zip(index.movie_ids, groups, strict=True))
    }


def test_no_film_is_listed_twice_or_again_where_a_variant_was_seen(index: Contents, some: list[str]) -> None:
    films = films_of(index)
    assert len(set(films.values())) < len(films)
    for reviewer_id in some:
        found = ids(index.engine.recommend(reviewer_id, 10_000))
        seen = {films[movie_id] for movie_id in index.seen[reviewer_id]}
        assert {films[movie_id] for movie_id in found} == set(films.values()) - seen
        assert len(found) == len({films[movie_id] for movie_id in found})


def test_similar_movies_are_no_variants_of_the_movie_or_of_each_other(index: Contents) -> None:
    films = films_of(index)
    several = [movie_id for movie_id in index.movie_ids if films[movie_id] >= 0]
    for movie_id in several[:10]:
        for options in ({}, {"where": "movie_count >= 0"}):
            similar = index.engine.similar(movie_id, 10_000, **options)
            found = [films[movie.movie_id] for movie in similar]
            assert len(found) == len(set(found))
            assert set(found) == set(films.values()) - {films[movie_id]}


def test_the_other_variants_are_shown_where_they_are_wanted(index: Contents, some: list[str]) -> None:
    films = films_of(index)
    found = index.engine.recommend(some[0], 10_000, show_variants=True)
    for item in found:
        others = {movie_id for movie_id, film in films.items() if film == films[item.movie_id]}
        assert item.variants is not None
        assert {variant.movie_id for variant in item.variants} == others - {item.movie_id}
        assert len(item.to_dict()["variants"]) == len(others) - 1
    assert any(item.variants for item in found)
    assert "variants" not in index.engine.recommend(some[0], 1)[0].to_dict()


def test_predictions_are_what_lists_show(index: Contents, some: list[str]) -> None:
    for reviewer_id in some:
        found = index.engine.recommend(reviewer_id, 10)
        predicted = index.engine.predict([reviewer_id] * 10, ids(found))
        shown = [recommendation.predicted_rating for recommendation in found]
        np.testing.assert_allclose(predicted.mean, shown, atol=1e-5)
        medians = [recommendation.median_rating for recommendation in found]
        assert predicted.median.tolist() == medians
        for recommendation, chances in zip(found, predicted.probabilities, strict=True):
            assert recommendation.rating_probabilities is not None
            assert list(recommendation.rating_probabilities) == ["1.0", "2.0", "3.0", "4.0", "5.0"]
            np.testing.assert_allclose(list(recommendation.rating_probabilities.values()), chances, atol=1e-5)
            assert recommendation.like_probability == pytest.approx(chances[3:].sum(), abs=1e-5)
            assert recommendation.predicted_rating == pytest.approx(chances @ np.arange(1, 6), abs=1e-4)


def test_predictions_go_pair_by_pair(index: Contents) -> None:
    reviewers, movies = index.reviewer_ids[:30], index.movie_ids[10:40]
    together = index.engine.predict(reviewers, movies)
    for place, (reviewer_id, movie_id) in enumerate(zip(reviewers, movies, strict=True)):
        alone = index.engine.predict([reviewer_id], [movie_id])
        np.testing.assert_allclose(alone.probabilities[0], together.probabilities[place], atol=1e-5)
    assert len(index.engine.predict([], []).mean) == 0
    with pytest.raises(ConfigError, match="1 reviewers and 2 movies"):
        index.engine.predict(reviewers[:1], movies[:2])


def test_cards_and_titles_are_those_of_the_movies(index: Contents, some: list[str]) -> None:
    by_id = dict(zip(index.movie_ids, index.cards, strict=True))
    for recommendation in index.engine.recommend(some[0], 20):
        assert recommendation.card == by_id[recommendation.movie_id]
        assert recommendation.title == by_id[recommendation.movie_id]["title"]
        assert index.engine.title(recommendation.movie_id) == recommendation.title
        assert recommendation.to_dict()["movie_id"] == recommendation.movie_id


def test_unknown_ids_name_close_ones(index: Contents) -> None:
    known = index.reviewer_ids[5]
    with pytest.raises(UnknownIdError, match="case-sensitive") as caught:
        index.engine.recommend(known.lower())
    assert (caught.value.kind, caught.value.unknown_id) == ("reviewer", known.lower())
    assert known in caught.value.close_matches
    movie = index.movie_ids[7]
    for ask in (index.engine.similar, index.engine.title, lambda text: index.engine.predict([known], [text])):
        with pytest.raises(UnknownIdError) as caught:
            ask(f"{movie}X")
        assert caught.value.kind == "movie"
        assert movie in caught.value.close_matches
    for ask in (index.engine.score_all, lambda text: index.engine.recommend_many([known, text])):
        with pytest.raises(UnknownIdError):
            ask("")


@pytest.mark.parametrize("k", [0, -1])
def test_k_is_at_least_one(index: Contents, k: int) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        index.engine.recommend(index.reviewer_ids[0], k)
    with pytest.raises(ConfigError, match="at least 1"):
        index.engine.similar(index.movie_ids[0], k)


def test_answers_repeat_in_an_engine_and_in_another_one(
    index: Contents, some: list[str], sample_index: Path
) -> None:
    other = Engine.load(sample_index)
    first = index.engine.recommend_many(some, 10)
    assert index.engine.recommend_many(some, 10) == first
    assert other.recommend_many(some, 10) == first
    assert other.similar(index.movie_ids[0]) == index.engine.similar(index.movie_ids[0])
    assert other.info()["counts"] == index.engine.info()["counts"]


def test_eight_threads_get_the_answers_of_one(index: Contents, some: list[str]) -> None:
    def answer(number: int) -> tuple[object, ...]:
        reviewer_id, movie_id = some[number % len(some)], index.movie_ids[number]
        return (
            index.engine.recommend(reviewer_id),
            index.engine.recommend(reviewer_id, where="year >= 1980"),
            index.engine.similar(movie_id),
            index.engine.predict([reviewer_id], [movie_id]).mean.tolist(),
        )

    expected = [answer(number) for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(answer, range(40))) == expected


def test_data_without_ratings_is_answered_from_relevance_alone(tmp_path: Path) -> None:
    reviews = tmp_path / "visits.csv"
    lines = [
        f"R{reviewer},M{(reviewer + 2 * place) % 15},{1_500_000_000 + 60 * place}"
        for reviewer in range(30)
        for place in range(6)
    ]
    reviews.write_text("\n".join(["user,item,time", *lines, ""]))
    quick = ("relevance.max_rounds=1", "relevance.num_members=1", "split.test_share=0")
    built = build_index((reviews,), output=tmp_path / "index", config=load_config(assignments=quick))
    assert built.manifest["model"]["rating_levels"] == []
    engine = Engine.load(tmp_path / "index")
    found = engine.recommend("R1", 100)
    assert len(found) == engine.num_movies - 6
    for recommendation in found:
        assert recommendation.score == recommendation.relevance
        assert recommendation.predicted_rating is None
        assert recommendation.median_rating is None
        assert recommendation.like_probability is None
        assert recommendation.rating_probabilities is None
    assert len(engine.similar("M1", 5)) == 5
    with pytest.raises(DataError, match="without ratings"):
        engine.predict(["R1"], ["M1"])
