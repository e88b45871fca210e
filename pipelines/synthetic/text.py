"""What the invented reviewers write: short sentences that agree with the stars that they give."""

from __future__ import annotations

from pipelines.synthetic.films import TASTES

SUMMARIES = (
    (
        "Could not finish it",
        "Money and evening wasted",
        "Avoid",
        "A disaster",
        "One star is generous",
        "Terrible",
        "What were they thinking",
        "Returned it",
    ),
    (
        "Disappointing",
        "Not for me",
        "Expected more",
        "Weak",
        "Rather dull",
        "A chore",
        "Two good scenes",
        "Below average",
    ),
    (
        "It is all right",
        "Neither here nor there",
        "Three stars",
        "Fair",
        "Watchable",
        "Good in parts",
        "Mixed feelings",
        "Average",
    ),
    (
        "Very good",
        "Well made",
        "Nearly perfect",
        "Solid",
        "Four stars",
        "A pleasant surprise",
        "Worth an evening",
        "Enjoyed it",
    ),
    (
        "A favorite",
        "Wonderful",
        "Five Stars",
        "A classic",
        "Loved every minute",
        "Perfect",
        "Must see",
        "Excellent",
    ),
)
"""Eight headlines for each number of stars, from one to five."""

VERDICTS = (
    (
        "is the worst film I have seen in years.",
        "bored everyone in the room.",
        "has neither story nor heart.",
        "went straight back to the shop.",
        "made me angry.",
        "is not worth the disc it came on.",
        "lost me after ten minutes.",
        "should come with an apology.",
    ),
    (
        "did not live up to its name.",
        "drags badly in the middle.",
        "left me cold.",
        "has a good idea and wastes it.",
        "is forgettable.",
        "is too long by half.",
        "disappointed us.",
        "could have been so much better.",
    ),
    (
        "is fine for a rainy evening.",
        "has its moments.",
        "is neither good nor bad.",
        "passes the time.",
        "starts well and then loses its way.",
        "is decent, nothing more.",
        "was about what I expected.",
        "is worth seeing once.",
    ),
    (
        "is well acted and well told.",
        "held up better than I remembered.",
        "kept us guessing nearly to the end.",
        "is a good film with a few slow spots.",
        "was better than I expected.",
        "deserves to be better known.",
        "is very nearly great.",
        "is a fine piece of work.",
    ),
    (
        "is a joy from start to finish.",
        "never gets old.",
        "is as good as films get.",
        "had the whole family cheering.",
        "is a masterpiece.",
        "still gives me goose bumps.",
        "belongs on every shelf.",
        "is one I will watch again and again.",
    ),
)
"""Eight ends of a sentence that begins with the title, for each number of stars."""

_REMARKS = (
    "Mostly I watch {}.",
    "I own a shelf full of {}.",
    "My friends know me for {}.",
    "I have been watching {} since I was a child.",
)
_SPOKEN = {
    "Science Fiction": "science fiction",
    "Film Noir": "film noir",
    "Romantic Comedy": "romantic comedy",
    "Horror": "horror",
    "Animation": "animation",
    "Western": "westerns",
    "War": "war films",
    "Martial Arts": "martial arts",
    "Bollywood": "Bollywood",
    "Documentary": "documentaries",
    "Musical": "musicals",
    "Espionage": "spy films",
}
OWN_TASTE_REMARKS = tuple(remark.format(_SPOKEN[taste]) for taste in TASTES for remark in _REMARKS)
"""Four remarks for each taste, in the order of TASTES."""

NUM_PHRASES = 8
NUM_REMARKS = len(_REMARKS)
