"""Writes the texts of synthetic reviews: headlines, verdicts, and any number of neutral sentences.

The neutral sentences say nothing about a film's quality; they make synthetic review files as long as real
review files, and as hard to compress.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pipelines.synthetic.draws import Draws
from pipelines.synthetic.films import TASTES

_LOG_DEVIATION = 1.15
"""The standard deviation of the natural logarithm of the number of sentences in a text; most texts are short,
and a few texts fill pages."""


def _listed(text: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in text.split(","))


def _grouped(text: str) -> tuple[tuple[str, ...], ...]:
    """Splits a text into groups at blank lines, and each group into phrases at line ends and at `|`."""
    groups = text.strip().replace("|", "\n").split("\n\n")
    return tuple(tuple(phrase.strip() for phrase in group.split("\n")) for group in groups)


SUMMARIES = _grouped("""
    Could not finish it | Money and evening wasted | Avoid | A disaster | One star is generous
    Terrible | What were they thinking | Returned it

    Disappointing | Not for me | Expected more | Weak | Rather dull | A chore | Two good scenes
    Below average

    It is all right | Neither here nor there | Three stars | Fair | Watchable | Good in parts
    Mixed feelings | Average

    Very good | Well made | Nearly perfect | Solid | Four stars | A pleasant surprise | Worth an evening
    Enjoyed it

    A favorite | Wonderful | Five Stars | A classic | Loved every minute | Perfect | Must see
    Excellent
""")
"""The headlines of reviews: five groups, for one to five stars, with eight headlines each."""
VERDICTS = _grouped("""
    is the worst film I have seen in years. | bored everyone in the room. | has neither story nor heart.
    went straight back to the shop. | made me angry. | is not worth the disc it came on.
    lost me after ten minutes. | should come with an apology.

    did not live up to its name. | drags badly in the middle. | left me cold.
    has a good idea and wastes it. | is forgettable. | is too long by half. | disappointed us.
    could have been so much better.

    is fine for a rainy evening. | has its moments. | is neither good nor bad. | passes the time.
    starts well and then loses its way. | is decent, nothing more. | was about what I expected.
    is worth seeing once.

    is well acted and well told. | held up better than I remembered.
    kept us guessing nearly to the end. | is a good film with a few slow spots.
    was better than I expected. | deserves to be better known. | is very nearly great.
    is a fine piece of work.

    is a joy from start to finish. | never gets old. | is as good as films get.
    had the whole family cheering. | is a masterpiece. | still gives me goose bumps.
    belongs on every shelf. | is one I will watch again and again.
""")
"""The second halves of sentences that begin with a film's title: five groups, for one to five stars, with
eight second halves each."""
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
"""Remarks for reviewers who favour a genre, such as "Mostly I watch westerns.": four remarks for each genre,
with the genres in the order of TASTES."""
NUM_PHRASES = 8
"""For each number of stars (1 to 5), SUMMARIES holds this many headlines, and VERDICTS holds this many ends
of sentences, such as "left me cold."."""
NUM_REMARKS = len(_REMARKS)
"""The number of remarks about each genre."""
_OPENINGS = (
    *("The", "That", "Its", "This", "Every", "Some", "One", "Another", "Her", "His", "Their", "Our", "My"),
    *("Later the", "Then the", "Here the", "At first the", "Near the end the", "Halfway through the"),
    *("In my copy the", "On this disc the", "For once the", "Back then the", "Even the", "Only the"),
    *("After that the", "Before the credits the", "On the second evening the", "As in the book, the"),
    *("My brother says that the", "My wife noticed that the", "I remember how the", "You can see how the"),
)
_ADJECTIVES = _listed("""
    first, second, third, early, late, old, young, tall, small, large, wide, narrow, long, short, red, blue,
    green, grey, black, white, yellow, wooden, stone, metal, plastic, electric, paper, leather, northern,
    southern, eastern, western, foreign, local, rural, urban, modern, ancient, medieval, Victorian, French,
    German, Italian, Spanish, Russian, Japanese, British, American, Irish, Swedish, Polish, Korean, Brazilian,
    digital, original, restored, printed, spoken, silent, quiet, loud, slow, quick, heavy, light, round,
    square, empty, crowded, distant, nearby, hidden, open, closed, central, outer, inner, upper, lower, final,
    opening, middle, extra, spare, single, double, official, private, public, military, royal, daily, weekly,
    annual, nightly, average, usual, typical, famous, unknown, fictional, historical, musical, technical,
    theatrical, domestic, coastal, tropical, snowy, rainy, sunny, dusty, sandy, muddy, windy, foggy
""")
_NOUNS = _listed("""
    actor, actress, director, producer, writer, editor, composer, narrator, villain, hero, sister, brother,
    mother, father, daughter, son, uncle, aunt, cousin, neighbor, stranger, detective, doctor, nurse, lawyer,
    judge, soldier, sailor, captain, pilot, driver, teacher, student, singer, dancer, painter, butcher, baker,
    farmer, priest, king, queen, prince, butler, chauffeur, waiter, gardener, boxer, jockey, gambler, thief,
    witness, partner, friend, crowd, orchestra, camera, lens, scene, sequence, shot, frame, soundtrack, song,
    chorus, melody, theme, dialogue, accent, script, plot, subplot, prologue, epilogue, flashback, montage,
    costume, hat, coat, dress, uniform, mask, mirror, window, door, staircase, cellar, attic, kitchen, garden,
    bridge, river, harbor, island, mountain, desert, forest, village, city, street, station, train, ship,
    airplane, car, truck, bicycle, horse, dog, cat, letter, diary, map, photograph, newspaper, telephone,
    radio, clock, candle, lantern, knife, pistol, suitcase, box, disc, case, cover, booklet, menu, subtitle,
    chapter, trailer, commentary, interview, documentary, transfer, picture, color, contrast, grain, sound,
    track, speaker, screen, projector, theater, ticket, audience, sequel, remake, episode, season, series,
    channel, studio, company, budget, weekend, summer, winter, morning, evening, wedding, funeral, trial,
    battle, race, journey, party, dinner, secret, promise, dream, memory
""")
_VERBS = _listed("""
    follows, meets, finds, loses, leaves, joins, watches, hears, remembers, forgets, describes, mentions,
    shows, hides, opens, closes, crosses, passes, reaches, enters, resembles, replaces, repeats, introduces,
    explains, concerns, includes, contains, needs, wants, takes, brings, carries, sends, keeps, holds, moves,
    turns into, looks like, sounds like, belongs to, leads to, comes before, comes after, stands beside, waits
    for, talks about, asks about, thinks of, returns to, runs from, hangs over, lies behind, depends on, ends
    with, begins with, cuts to, fades into, points at, has to do with, stays with, sits next to, walks past,
    drives past, writes to, pays for, works for
""")
_CLOSINGS = (
    *(f"around minute {minute}" for minute in range(2, 178)),
    *(f"in {year}" for year in range(1921, 2018)),
    *(f"for {count} dollars" for count in range(3, 60)),
    *("again", "at last", "twice", "as before", "on the way home", "without a word", "in the rain"),
    "at night",
    *("in the other cut", "in both versions", "in the novel", "on television", "on the big screen", "abroad"),
)
_VOCABULARIES = (
    _OPENINGS,
    _ADJECTIVES,
    _NOUNS,
    _VERBS,
    tuple(f"the {adjective}" for adjective in _ADJECTIVES),
    _NOUNS,
    tuple(f"{closing}." for closing in _CLOSINGS),
)
"""The words for each of the seven parts of a neutral sentence: opening, adjective, noun, verb, article with
adjective, noun, closing."""


class Prose:
    """Writes random neutral sentences, which rarely repeat, because equal sentences would compress too well.

    The argument `log_median` is the natural logarithm of the median number of sentences in a text.
    """

    def __init__(self, log_median: float = 1.25) -> None:
        self._log_median = log_median
        self._words = np.array([word for words in _VOCABULARIES for word in words], dtype=object)
        self._lengths = np.array([len(word) for word in self._words], dtype=np.int64)
        self._sizes = np.array([len(words) for words in _VOCABULARIES], dtype=np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self._sizes)[:-1]])

    def __call__(self, num_texts: int, draws: Draws) -> list[str]:
        """Returns texts of neutral sentences, with a space before every sentence; some texts are empty."""
        logs = self._log_median + _LOG_DEVIATION * draws.bell(num_texts)
        counts = np.floor(np.exp(logs)).astype(np.int64)
        total = int(counts.sum())
        chosen = (draws.uniform(total * len(self._sizes)).reshape(total, -1) * self._sizes).astype(np.int64)
        tokens = self._starts + chosen  # int64 [num_sentences, num_parts]
        text = " " + " ".join(self._words[tokens.ravel()].tolist())
        ends = np.concatenate([[0], np.cumsum((self._lengths[tokens] + 1).sum(axis=1))])
        bounds = ends[np.concatenate([[0], np.cumsum(counts)])].tolist()
        return [text[start:end] for start, end in pairwise(bounds)]
