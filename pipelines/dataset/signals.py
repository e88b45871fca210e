"""What a training takes for a review's rating: its stars, the sentiment of its text, or both.

What is predicted and measured are always the stars of held-out reviews, and their texts have no part in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config.sections import SentimentConfig
from pipelines.dataset.reviews import Reviews

Figures = Mapping[str, Mapping[str, float]]
"""By model and name."""

SENTIMENT, BLEND = "ncf-sentiment", "ncf-blend"
"""The engine's own model trained on sentiment alone, and on stars and sentiment."""
SIGNALS = (SENTIMENT, BLEND)

_HIGHER_IS_BETTER = {"ndcg@10": True, "recall@10": True, "recall@20": True, "mae": False, "rmse": False}
_SURE = 0.01
"""Five figures are tested, each at a fifth of 0.05: of twenty verdicts on nothing one is wrong, at most."""


def training_reviews(reviews: Reviews, config: SentimentConfig) -> Reviews:
    """Gives the reviews with the ratings that are to be learned from.

    `rating = (1 - weight) * stars + weight * sentiment in stars`, taken to the nearest level; of two equally
    near the higher. A review without sentiment keeps its stars.

    Args:
        reviews: training reviews alone, since the scale is learned from all of them.
        config: whether sentiment is used, and its weight.

    Raises:
        ValueError: sentiment is to be used, and the reviews carry none.
    """
    if not config.use:
        return reviews
    if reviews.sentiment is None:
        raise ValueError("The sentiment of these reviews has not been found")
    scored = np.isfinite(reviews.sentiment)
    blended = reviews.ratings.astype(np.float64)
    in_stars = sentiment_stars(reviews.sentiment[scored], reviews.ratings[scored])
    blended[scored] += config.weight * (in_stars - blended[scored])
    middles = (reviews.levels[1:] + reviews.levels[:-1]) / 2
    level_rows = np.searchsorted(middles, np.round(blended, 6), side="right").astype(np.int8)
    return replace(reviews, level_rows=level_rows, sentiment=None)


def sentiment_stars(sentiment: NDArray[np.floating], stars: NDArray[np.floating]) -> NDArray[np.floating]:
    """Puts sentiment on the scale of the stars, in the same order and with as many of each.

    The reviews with the lowest sentiment, as many as there are of one star, get one star, and so on; equal
    sentiment gets equal stars, those of the place in its middle.

    Args:
        sentiment: float [num].
        stars: float [num], of the same reviews.

    Returns:
        float [num].

    >>> sentiment_stars(np.array([0.9, -0.5, 0.1, 0.8]), np.array([5.0, 2.0, 5.0, 4.0])).tolist()
    [5.0, 2.0, 4.0, 5.0]
    """
    in_order = np.sort(sentiment)
    first = np.searchsorted(in_order, sentiment, side="left")
    beyond = np.searchsorted(in_order, sentiment, side="right")
    return np.asarray(np.sort(stars)[(first + beyond - 1) // 2])


def describe_sentiment(reviews: Reviews) -> dict[str, Any]:
    """What is to be known of the sentiment of training reviews.

    Returns:
        reviews, with_sentiment: how many there are.
        correlation: of sentiment and stars (Pearson); None where one of them is always the same.
        mean_by_rating: the mean sentiment of the reviews with each rating; None without any.
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


def verdicts(mean: Figures, p_values: Figures, reference: str) -> dict[str, str]:
    """Says of each model that takes sentiment, in a sentence, whether that helped.

    Args:
        mean: by model the figures, as means over the folds.
        p_values: by model those of the difference to the reference.
        reference: the model that learns from stars alone.
    """
    return {
        model: _verdict(mean[model], mean[reference], p_values.get(model, {}))
        for model in SIGNALS
        if model in mean and reference in mean and model != reference
    }


def _verdict(ours: Mapping[str, float], stars: Mapping[str, float], p_values: Mapping[str, float]) -> str:
    found: dict[str, list[str]] = {"better": [], "worse": []}
    for name, higher in _HIGHER_IS_BETTER.items():
        if name not in p_values:
            continue
        text = f"{name} {ours[name]:.4f} against {stars[name]:.4f} (p = {p_values[name]:.2g})"
        if p_values[name] < _SURE:
            found["better" if (ours[name] > stars[name]) == higher else "worse"].append(text)
    if not any(found.values()):
        return "It made no difference that these reviews could show."
    parts = [f"{word} in {', '.join(texts)}" for word, texts in found.items() if texts]
    lead = {(True, False): "It helped", (False, True): "It did harm", (True, True): "It helped and did harm"}
    return f"{lead[bool(found['better']), bool(found['worse'])]}: {'; '.join(parts)}."
