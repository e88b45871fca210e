"""Scores the sentiment of review texts with a lexicon, and mixes sentiment into training ratings.

The lexicon is VADER (Hutto and Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of
Social Media Text", 2014). VADER is part of an installed Python package, so scoring downloads nothing. VADER
is made for single sentences, and the VADER score of a whole review would mostly reflect the length of the
review. The sentiment of a review is therefore the mean of the VADER scores of the review's sentences.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.config.sections import SentimentConfig
from engine.errors import DataError
from pipelines.dataset.reviews import Reviews, level_rows_of
from pipelines.work.database import open_cursor, run
from pipelines.work.parallel import map_texts

if TYPE_CHECKING:
    import duckdb

logger = logging.getLogger(__name__)

SENTIMENT, BLEND = "ncf-sentiment", "ncf-blend"
"""The names of two models in evaluations; the model SENTIMENT is trained on sentiment alone, and the model
BLEND is trained on a weighted mean of ratings and sentiment."""
SIGNALS = (SENTIMENT, BLEND)
_BATCH = 50_000
"""The number of review texts that are scored in one batch; larger batches would take more memory."""
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+|\n+")
_LONGEST_SENTENCE = 1_000
"""Before scoring, sentences are cut to this number of characters, because the time that VADER takes grows
with the square of the number of words in a sentence."""


def read_sentiment(database: duckdb.DuckDBPyConnection, *, threads: int = 0) -> Floats:
    """Scores each review's sentiment from -1 to 1: float32 [num_reviews], in the order of `read_reviews`.

    The sentiment of a review is NaN if the review's text has no word of the lexicon. The argument `threads`
    is the number of child processes that score texts; 0 means one child process per core.

    Raises:
        DataError: no review has a rating, with which sentiment could be mixed; or no review has a text that
            the lexicon can score.
    """
    [(num_reviews, num_ratings)] = database.execute("select count(*), count(rating) from reviews").fetchall()
    if not num_ratings:
        raise DataError(
            "Sentiment stands beside the stars, but these reviews have no ratings; leave --sentiment out"
        )
    started = time.perf_counter()
    run(database, "tables/distinct_texts")
    reader = open_cursor(database)
    reader.execute("select text_number, review_text from distinct_texts order by text_number")
    num_texts = 0
    while rows := reader.fetchmany(_BATCH):
        found = map_texts(sentiment_of, [text for _, text in rows], threads=threads)
        pairs = zip(rows, found, strict=True)
        scored = [(number, score) for (number, _), score in pairs if score is not None]
        database.execute(
            "insert into text_sentiments select unnest($numbers::ubigint[]), unnest($scores::float[])",
            {"numbers": [number for number, _ in scored], "scores": [score for _, score in scored]},
        )
        num_texts += len(rows)
    reader.close()
    column = run(database, "tables/review_sentiments").fetchnumpy()["sentiment"]
    sentiment = np.ma.filled(np.ma.asarray(column, dtype=np.float32), np.nan)
    num_scored = int(np.isfinite(sentiment).sum())
    if not num_scored:
        raise DataError(
            f"None of the {num_reviews:,} reviews has a text with a word that the lexicon knows; expected "
            "English texts, as in Amazon's files; leave --sentiment out, or give files with texts"
        )
    seconds = time.perf_counter() - started
    logger.info("Scored %s texts of %s reviews in %.1f s", f"{num_texts:,}", f"{num_scored:,}", seconds)
    return sentiment


def sentiment_of(text: str) -> float | None:
    """Returns a text's sentiment, -1 to 1: the mean of VADER's compound scores of the text's sentences.

    A text without any word of the lexicon has the sentiment None.

    >>> sentiment_of("I love this wonderful film.") > 0.5
    True
    >>> sentiment_of("Terrible, boring and bad.") < 0
    True
    >>> sentiment_of("Two discs.") is None
    True
    """
    sentences = [part[:_LONGEST_SENTENCE] for part in _SENTENCE_ENDS.split(text) if part.strip()]
    found = [_analyzer().polarity_scores(sentence)["compound"] for sentence in sentences]
    return float(np.mean(found)) if any(found) else None


@cache
def _analyzer() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def training_reviews(reviews: Reviews, config: SentimentConfig) -> Reviews:
    """Mixes sentiment into the ratings of training reviews if the setting `sentiment.use` is true.

    A review's new rating is the rating level nearest to `(1 - weight) * stars + weight * sentiment_stars`. In
    `(1 - weight) * stars + weight * sentiment_stars`, `weight` is the setting `sentiment.weight`, and `stars`
    is the review's old rating. The number `sentiment_stars` is the review's sentiment, converted to stars by
    the function `sentiment_stars`. A review without sentiment keeps its rating. The argument `reviews` must
    not hold test reviews, because the ratings of all reviews in `reviews` decide how sentiment is converted
    to stars.

    Raises:
        ValueError: the setting `sentiment.use` is true, but no sentiment was computed for the reviews.
    """
    if not config.use:
        return reviews
    if reviews.sentiment is None:
        raise ValueError("The sentiment of these reviews has not been found")
    scored = np.isfinite(reviews.sentiment)
    blended = reviews.ratings.astype(np.float64)
    in_stars = sentiment_stars(reviews.sentiment[scored], reviews.ratings[scored])
    blended[scored] += config.weight * (in_stars - blended[scored])
    return replace(reviews, level_rows=level_rows_of(np.round(blended, 6), reviews.levels), sentiment=None)


def sentiment_stars(sentiment: NDArray[np.floating], stars: NDArray[np.floating]) -> NDArray[np.floating]:
    """Converts sentiment to stars by rank, so that the converted stars are distributed like `stars`.

    If n reviews have one star, the n reviews with the lowest sentiment are converted to one star; the reviews
    with the next higher sentiment are converted to two stars, and so on. Reviews of equal sentiment share
    several successive ranks in the order of sentiment. All reviews of equal sentiment get the stars at the
    middle one of the shared ranks in the sorted array `stars`. The arrays `sentiment` and `stars` and the
    returned array hold one number for each review.

    >>> sentiment_stars(np.array([0.9, -0.5, 0.1, 0.8]), np.array([5.0, 2.0, 5.0, 4.0])).tolist()
    [5.0, 2.0, 4.0, 5.0]
    """
    in_order = np.sort(sentiment)
    first = np.searchsorted(in_order, sentiment, side="left")
    beyond = np.searchsorted(in_order, sentiment, side="right")
    return np.asarray(np.sort(stars)[(first + beyond - 1) // 2])


def describe_sentiment(reviews: Reviews) -> dict[str, Any]:
    """Summarises the sentiment of training reviews for the report of an evaluation.

    Returns:
        reviews: the number of training reviews.
        with_sentiment: the number of training reviews whose text has a sentiment.
        correlation: the Pearson correlation of sentiment and stars; None if all sentiment values or all stars
            are equal.
        mean_by_rating: the mean sentiment of the reviews with each rating; None for a rating that no review
            has.
    """
    assert reviews.sentiment is not None
    scored = np.isfinite(reviews.sentiment)
    sentiment, ratings = reviews.sentiment[scored].astype(np.float64), reviews.ratings[scored]
    varied = len(sentiment) > 1 and np.ptp(sentiment) > 0 and np.ptp(ratings) > 0
    return {
        "reviews": len(reviews),
        "with_sentiment": int(scored.sum()),
        "correlation": float(np.corrcoef(sentiment, ratings)[0, 1]) if varied else None,
        "mean_by_rating": {
            f"{level:g}": float(sentiment[ratings == level].mean()) if (ratings == level).any() else None
            for level in reviews.levels
        },
    }
