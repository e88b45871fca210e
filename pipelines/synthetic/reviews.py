"""Writes the synthetic review file chunk by chunk, so that any number of reviews takes the same memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from pipelines.synthetic.catalogue import FORMATS, DrawnCatalogue
from pipelines.synthetic.dirt import MISSING_FIELDS, DirtRates, LinePlan, break_off, drop_field, share
from pipelines.synthetic.draws import BoolArray, Draws, FloatArray, IntArray
from pipelines.synthetic.prose import NUM_PHRASES, NUM_REMARKS, OWN_TASTE_REMARKS, SUMMARIES, VERDICTS, Prose
from pipelines.synthetic.reviewers import FIRST_DAY, NUM_DAYS, DrawnReviews, draw_reviews, star_edges, stars

_LINES_PER_CHUNK = 50_000
"""The approximate number of lines in a chunk, a part of the review file that is drawn and written at once."""
_ORIGINAL, _COPY, _REPEAT, _MALFORMED, _MISSING = range(5)
"""The numbers of the kinds of review lines, in the order of the fields of `LinePlan`."""
_VOTES = ("", '"vote": "2", ', '"vote": "3", ', '"vote": "5", ', '"vote": "12", ', '"vote": "1,024", ')
_LINE = (
    '{"overall": %d.0, %s"verified": %s, "reviewTime": "%s", "reviewerID": "%s", "asin": "%s", '
    '%s"reviewerName": "Sample Reviewer %05d", "reviewText": "%s%s %s%s%s", "summary": "%s", '
    '"unixReviewTime": %d}\n'
)
_ID_DIGITS = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", dtype=np.uint8)
_MOST_REVIEWERS_TOLD = 50_000
"""The largest number of reviewers for which truth.json lists favourite genres; the list of more reviewers
would be too large."""


@dataclass
class ReviewTruth:
    """Holds facts about the synthetic review file, such as the number of damaged lines, for tests of readers.

    Attributes:
        lines: the number of lines of each kind, such as original, copied and malformed lines; a correct
            reader keeps the lines of the kinds `originals` and `copied`.
        covered: bool [num_movies], whether the review file has a line about each movie.
        reviewer_tastes: maps reviewer ids to favourite genres, as positions in TASTES; empty if the review
            file has more than _MOST_REVIEWERS_TOLD reviewers.
    """

    covered: BoolArray
    lines: Counter[str] = field(default_factory=Counter)
    reviewer_tastes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Lines:
    """Holds the lines of one chunk of the review file in file order, as arrays with one value per line."""

    kinds: IntArray
    reviewers: IntArray
    movies: IntArray
    stars: IntArray
    days: IntArray
    own_tastes: IntArray
    texts: IntArray
    formats: IntArray
    originals: IntArray


def review_chunks(
    catalogue: DrawnCatalogue,
    num_lines: int,
    num_reviewers: int,
    seed: int,
    rates: DirtRates,
    truth: ReviewTruth,
    *,
    brief: bool = False,
) -> Iterator[str]:
    """Yields the review file in chunks of about 50,000 lines, and counts the lines of each kind in `truth`.

    The review file has `num_lines` lines, including damaged lines. If `brief` is true, each review has one or
    two sentences; otherwise reviews are as long as real reviews.
    """
    plan = LinePlan.of(num_lines, rates)
    edges = star_edges(catalogue, num_reviewers, plan.originals, seed)
    num_chunks = max(1, round(num_lines / _LINES_PER_CHUNK))
    render = _Renderer(catalogue)
    prose = Prose()
    first_reviewer = 0
    for chunk in range(num_chunks):
        draws = Draws(seed, 3, chunk)
        reviewers_here = share(num_reviewers, chunk, num_chunks)
        planned = LinePlan(*(share(count, chunk, num_chunks) for count in plan))
        cover = np.arange(chunk, len(catalogue), num_chunks)
        reviews = draw_reviews(catalogue, reviewers_here, planned.originals, cover, draws)
        lines = _plant(reviews, catalogue, planned, edges, draws)
        reviewer_ids = _reviewer_ids(first_reviewer + np.arange(reviewers_here), seed)
        truth.covered[lines.movies] = True
        if num_reviewers <= _MOST_REVIEWERS_TOLD:
            truth.reviewer_tastes.update(zip(reviewer_ids, reviews.tastes.tolist(), strict=True))
        # Sentences use a separate stream of random numbers, so that a brief file and a full file with the
        # same seed differ in nothing but the sentences.
        sentences = [""] * len(reviews.movies) if brief else prose(len(reviews.movies), Draws(seed, 6, chunk))
        rendered = render(lines, reviewer_ids, first_reviewer, sentences)
        yield "".join(_damage(rendered, lines.kinds, draws, truth.lines))
        first_reviewer += reviewers_here


def _plant(
    reviews: DrawnReviews, catalogue: DrawnCatalogue, plan: LinePlan, edges: FloatArray, draws: Draws
) -> _Lines:
    """Adds copies and later edits of reviews to one chunk of the review file, and shuffles all lines.

    A copy repeats a review for another edition of the film. The function adds intact lines for `_damage`,
    which damages the lines later.
    """
    num_originals = len(reviews.movies)
    copied_rows, copied_movies = _copies(reviews, catalogue, plan.copies, draws)
    # If too few reviews can be copied to another edition of the film, more later edits are added instead.
    num_repeats = plan.repeats + plan.copies - len(copied_rows)
    repeated_rows = draws.choose(num_originals, num_repeats)
    damaged_rows = draws.integers(plan.malformed + plan.missing, num_originals)
    rows = np.concatenate([np.arange(num_originals), copied_rows, repeated_rows, damaged_rows])
    sizes = (num_originals, len(copied_rows), len(repeated_rows), plan.malformed, plan.missing)
    kinds = np.repeat(np.arange(5), sizes)

    given = stars(reviews.pleasure, edges)[rows]
    days = reviews.days[rows]
    movies = reviews.movies[rows]
    texts = draws.integers(num_originals, NUM_PHRASES * NUM_PHRASES * NUM_REMARKS * 2)[rows]
    movies[kinds == _COPY] = copied_movies
    edits = kinds == _REPEAT
    num_edits = int(edits.sum())
    given[edits] = np.clip(given[edits] + draws.integers(num_edits, 3) - 1, 1, 5)
    room = np.minimum(NUM_DAYS - 1 - days[edits], 400)
    days[edits] += 1 + (draws.uniform(num_edits) * room).astype(np.int64)
    texts[edits] += 5

    order = draws.shuffled(len(rows))
    own_tastes = reviews.tastes[reviews.reviewers]
    return _Lines(
        kinds[order],
        reviews.reviewers[rows][order],
        movies[order],
        given[order],
        days[order],
        own_tastes[rows][order],
        texts[order],
        catalogue.formats[reviews.movies[rows]][order],
        rows[order],
    )


def _copies(
    reviews: DrawnReviews, catalogue: DrawnCatalogue, wanted: int, draws: Draws
) -> tuple[IntArray, IntArray]:
    """Chooses reviews to copy, and for each copy another edition of the film; makes at most `wanted` copies.

    Each edition of a film is a movie of its own. A copy repeats a review for another edition of the film. A
    review of a film with several editions may be copied several times.

    Returns:
        Two arrays, int64 [num_copies]: for each copy, the position in `reviews` of the copied review, and the
        position in `catalogue` of the movie that the copy is about.
    """
    films = catalogue.film_numbers[reviews.movies]
    several = np.zeros(len(catalogue), dtype=np.bool_)
    several[list(catalogue.editions)] = True
    candidates = np.flatnonzero(several[films])
    written = set(
        zip(reviews.reviewers[candidates].tolist(), reviews.movies[candidates].tolist(), strict=True)
    )
    rows: list[int] = []
    movies: list[int] = []
    for row in candidates[draws.shuffled(len(candidates))].tolist():
        if len(rows) == wanted:
            break
        reviewer = int(reviews.reviewers[row])
        for movie in catalogue.editions[int(films[row])]:
            if (reviewer, movie) not in written and len(rows) < wanted:
                written.add((reviewer, movie))
                rows.append(row)
                movies.append(movie)
    return np.array(rows, dtype=np.int64), np.array(movies, dtype=np.int64)


class _Renderer:
    """Formats review lines as JSON with a template, which is much faster than `json.dumps`."""

    def __init__(self, catalogue: DrawnCatalogue) -> None:
        self._movie_ids = np.array(catalogue.movie_ids, dtype=object)
        self._film_titles = np.array([json.dumps(film.title)[1:-1] for film in catalogue.films], dtype=object)
        self._styles = np.array(
            [f'"style": {{"Format:": " {name}"}}, ' for name in FORMATS] + [""], dtype=object
        )
        self._votes = np.array(_VOTES, dtype=object)
        days = [FIRST_DAY + day for day in range(NUM_DAYS)]
        self._dates = np.array(
            [f"{str(day)[5:7]} {int(str(day)[8:])}, {str(day)[:4]}" for day in days], dtype=object
        )
        self._summaries = np.array(SUMMARIES, dtype=object)
        self._verdicts = np.array(VERDICTS, dtype=object)
        self._remarks = np.array([f" {remark}" for remark in OWN_TASTE_REMARKS] + [""], dtype=object)
        self._leads = np.array(["", "Update after a second look: "], dtype=object)

    def __call__(
        self, lines: _Lines, reviewer_ids: list[str], first_reviewer: int, sentences: list[str]
    ) -> list[str]:
        """Returns each review line in `lines` as JSON.

        The list `sentences` holds, for each original review of the chunk, neutral sentences that make the
        review longer, or an empty text. Neutral sentences say nothing about the film's quality. Copies and
        edits of a review get the neutral sentences of the original review.
        """
        original_text = lines.texts % (NUM_PHRASES * NUM_PHRASES * NUM_REMARKS * 2)
        summary, rest = original_text % NUM_PHRASES, original_text // NUM_PHRASES
        verdict, rest = rest % NUM_PHRASES, rest // NUM_PHRASES
        silent = rest % 2 == 1
        remark = np.where(silent, len(self._remarks) - 1, lines.own_tastes * NUM_REMARKS + rest // 2)
        traits = (lines.texts * 2_654_435_761 + lines.reviewers * 40_503 + lines.days * 97) % 1000
        vote = np.where(traits % 8 == 0, 1 + traits % 5, 0)
        style = np.where(traits % 13 == 0, len(FORMATS), lines.formats)
        verified = np.where(traits % 10 < 8, "true", "false")
        ids = np.array(reviewer_ids, dtype=object)
        epoch = int((FIRST_DAY - np.datetime64("1970-01-01", "D")).astype(np.int64))
        rows = zip(
            lines.stars.tolist(),
            self._votes[vote].tolist(),
            verified.tolist(),
            self._dates[lines.days].tolist(),
            ids[lines.reviewers].tolist(),
            self._movie_ids[lines.movies].tolist(),
            self._styles[style].tolist(),
            (lines.reviewers + first_reviewer).tolist(),
            self._leads[(lines.kinds == _REPEAT).astype(np.int64)].tolist(),
            self._film_titles[lines.movies].tolist(),
            self._verdicts[lines.stars - 1, verdict].tolist(),
            self._remarks[remark].tolist(),
            np.array(sentences, dtype=object)[lines.originals].tolist(),
            self._summaries[lines.stars - 1, summary].tolist(),
            ((lines.days + epoch) * 86_400).tolist(),
            strict=True,
        )
        return [_LINE % row for row in rows]


def _damage(lines: list[str], kinds: IntArray, draws: Draws, counts: Counter[str]) -> list[str]:
    """Damages the lines of the kinds _MALFORMED and _MISSING; counts the lines of each kind in `counts`."""
    counts["lines"] += len(lines)
    for name, kind in (("originals", _ORIGINAL), ("copied", _COPY), ("repeated_pairs", _REPEAT)):
        counts[name] += int((kinds == kind).sum())
    malformed = np.flatnonzero(kinds == _MALFORMED)
    counts["malformed"] += len(malformed)
    for place, where in zip(malformed.tolist(), draws.uniform(len(malformed)).tolist(), strict=True):
        lines[place] = break_off(lines[place], where)
    for place in np.flatnonzero(kinds == _MISSING).tolist():
        name = MISSING_FIELDS[counts["missing"] % len(MISSING_FIELDS)]
        lines[place] = drop_field(lines[place], name)
        counts["missing"] += 1
        counts[f"missing_{name}"] += 1
    return lines


def _reviewer_ids(numbers: IntArray, seed: int) -> list[str]:
    """Makes reviewer ids of thirteen characters that begin with A; different numbers give different ids."""
    mixed = (numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed % 2**60)) % np.uint64(
        2**60
    )
    digits = np.empty((len(numbers), 13), dtype=np.uint8)
    digits[:, 0] = ord("A")
    for place in range(12, 0, -1):
        mixed, digit = np.divmod(mixed, np.uint64(36))
        digits[:, place] = _ID_DIGITS[digit]
    return [bytes(row).decode("ascii") for row in digits.view("S13")[:, 0].tolist()]
