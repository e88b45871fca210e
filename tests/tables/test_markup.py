from html.parser import HTMLParser
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.answers import MoviePrediction, Reason, Recommendation, SimilarMovie, SimilarReviewer, TopList
from engine.tables.facts import Facts
from engine.tables.lists import AnswerList, ListsOfReviewers

HARMLESS = {"table", "thead", "tbody", "tr", "th", "td", "p", "code", "a", "details", "summary"}


class Reader(HTMLParser):
    """Reads the tags, the text and the addresses of HTML, and checks that every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.open: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        assert set(dict(attrs)) <= {"style", "href"}
        self.links += [value for name, value in attrs if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def movie(**fields: Any) -> Recommendation:
    values = {"rank": 1, "movie_id": "M", "title": "Laura", "score": 0.0, "relevance": 0.0, "card": {}}
    return Recommendation(**(values | fields))


@given(st.text(), st.text(), st.text())
def test_every_text_is_escaped(title: str, movie_id: str, category: str) -> None:
    card = {"category": category, "link": f"https://{title}"}
    reason = Reason(movie_id=movie_id, title=title, rating=None, contribution=0.0)
    answer = movie(title=title, movie_id=movie_id, card=card, because=(reason,))
    for shown in (TopList([answer]), ListsOfReviewers([TopList([answer])], [title], Recommendation), answer):
        assert set(Reader(shown._repr_html_()).tags) <= HARMLESS
    assert (
        set(Reader(Facts({title: {movie_id: [category, {category: title}]}})._repr_html_()).tags) <= HARMLESS
    )


def test_a_title_links_to_a_page_of_the_web_alone() -> None:
    for link, wanted in (
        ("https://example.com/?a=1&b=2", ["https://example.com/?a=1&b=2"]),
        ("http://example.com", ["http://example.com"]),
        ("javascript:alert(1)", []),
        ("data:text/html,x", []),
        (None, []),
    ):
        assert Reader(TopList([movie(card={"link": link})])._repr_html_()).links == wanted


def test_a_list_shows_what_people_ask_for_and_no_empty_column() -> None:
    texts = Reader(
        TopList([movie(predicted_rating=4.25, like_probability=0.9, card={"price": 9.5})])._repr_html_()
    ).texts
    assert texts == ["#", "title", "movie", "stars", "like", "price", "1", "Laura", "M", "4.2", "90%", "9.50"]


def test_every_kind_of_list_is_shown() -> None:
    similar = SimilarMovie(rank=1, movie_id="M", title=None, similarity=0.5, card={"year": 1944})
    reviewer = SimilarReviewer(rank=1, reviewer_id="A", similarity=0.5, num_shared=2, num_reviews=1234)
    predicted = MoviePrediction(
        movie_id="M",
        title="T",
        predicted_rating=3.0,
        median_rating=3.0,
        like_probability=0.5,
        interval=(2.0, 4.5),
        rating_probabilities={"3": 1.0},
    )
    assert Reader(AnswerList([similar])._repr_html_()).texts[-2:] == ["0.5", "1944"]
    assert Reader(AnswerList([reviewer])._repr_html_()).texts[-1] == "1,234"
    assert "2 to 4.5" in Reader(AnswerList([predicted])._repr_html_()).texts
    assert Reader(TopList()._repr_html_()).texts == ["No answers."]


def test_long_lists_and_many_lists_are_cut() -> None:
    texts = Reader(TopList([movie(rank=rank + 1) for rank in range(1234)])._repr_html_()).texts
    assert texts[-1] == "… and 1,134 more."
    lists = ListsOfReviewers([TopList([movie()])] * 25, map(str, range(25)), Recommendation)
    assert Reader(lists._repr_html_()).texts[-1] == "… and the lists of 15 more reviewers."


def test_facts_are_tables_with_folded_parts() -> None:
    reader = Reader(
        Facts({"counts": {"movies": 1234, "share": 0.5}, "none": None, "list": [1, 2]})._repr_html_()
    )
    assert reader.texts == [
        "counts",
        "2 entries",
        "movies",
        "1,234",
        "share",
        "0.5",
        "list",
        "1",
        ", ",
        "2",
    ] or (reader.texts == ["counts", "2 entries", "movies", "1,234", "share", "0.5", "list", "1, 2"])
    assert "details" in reader.tags
