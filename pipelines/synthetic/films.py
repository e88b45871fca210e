"""Names the films of a synthetic data set: title, year and genre of 480 real films and many invented films.

Many films are real, so that a person can judge whether the movies that are recommended as similar to
"Stagecoach" are similar.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import NamedTuple

FIRST_INVENTED_YEAR = 1954
_INVENTED_YEARS = 64

_ADJECTIVES = (
    *("Silent", "Broken", "Crimson", "Distant", "Burning", "Hidden", "Last", "Lonely"),
    *("Golden", "Frozen", "Velvet", "Midnight", "Restless", "Paper", "Iron", "Hollow"),
    *("Scarlet", "Wandering", "Bitter", "Quiet", "Savage", "Shattered", "Electric", "Forgotten"),
    *("Gentle", "Northern", "Secret", "Sunken", "Amber", "Wicked", "Tangled", "Fearless"),
    *("Pale", "Borrowed", "Stolen", "Glass", "Winter", "Thunder", "Copper", "Endless"),
    *("Faithful", "Reckless", "Fading", "Emerald", "Second", "Crooked", "Silver", "Drifting"),
)
_NOUNS = {
    "Science Fiction": "Orbit Android Signal Nebula Colony Voyager Reactor Paradox Comet Machine",
    "Film Noir": "Alibi Witness Alley Blonde Detective Harbor Motive Shadow Confession Ransom",
    "Romantic Comedy": "Wedding Bouquet Bachelor Bridesmaid Valentine Proposal Neighbor Honeymoon Kiss Fling",
    "Horror": "Crypt Possession Scarecrow Curse Asylum Ghoul Nightmare Seance Butcher Cellar",
    "Animation": "Puppy Dragonfly Teapot Penguin Princess Kitten Balloon Forest Cricket Bear",
    "Western": "Canyon Marshal Stallion Saddle Outlaw Frontier Gunfighter Prairie Homestead Sheriff",
    "War": "Battalion Bridgehead Convoy Regiment Trench Squadron Beachhead Ceasefire Bunker Siege",
    "Martial Arts": "Fist Tiger Dragon Monk Blade Temple Crane Master Warrior Lotus",
    "Bollywood": "Monsoon Bazaar Dulhan Maharani Mehndi Sitar Raga Bangle Duniya Sangam",
    "Documentary": "Glacier Archive Harvest Reef Verdict Migration Factory Election Marathon Notebook",
    "Musical": "Melody Chorus Footlight Serenade Waltz Cabaret Ballad Encore Carousel Overture",
    "Espionage": "Cipher Courier Dossier Embassy Defector Protocol Agent Informer Checkpoint Double",
}
_PATTERNS = (
    "The {adjective} {noun}",
    "{adjective} {noun}",
    "Return of the {adjective} {noun}",
    "A {noun} for the {adjective}",
)
_COMBINATIONS = len(_PATTERNS) * len(_ADJECTIVES) * 10 * _INVENTED_YEARS

TASTES = tuple(_NOUNS)
"""The genres of films (tastes), in fixed order; arrays hold a genre as a position in this tuple."""


class Film(NamedTuple):
    """Describes a film, which may be sold in several editions, such as DVD and Blu-ray."""

    title: str
    year: int
    taste: str
    invented: bool


def film_of_taste(taste: str, number: int) -> Film:
    """Returns film `number` of a genre; number 0 is the most famous film of the genre.

    The films of each genre are numbered from 0: first the real films, then the invented films. Any two films
    of one genre differ in title or year if their values of `number` differ and are below 122,880.
    """
    known = _real_films()[taste]
    return known[number] if number < len(known) else _invented_film(taste, number - len(known))


@cache
def _real_films() -> dict[str, tuple[Film, ...]]:
    """Reads the real films of each genre from films.csv, the best known film first."""
    with resources.files("pipelines").joinpath("films.csv").open(encoding="utf-8") as lines:
        films = [
            Film(row["title"], int(row["year"]), row["taste"], invented=False)
            for row in csv.DictReader(lines)
        ]
    return {taste: tuple(film for film in films if film.taste == taste) for taste in TASTES}


def _invented_film(taste: str, number: int) -> Film:
    """Makes an invented film; `number` decides the words of the title."""
    remaining = number * 54_541 % _COMBINATIONS
    remaining, adjective = divmod(remaining, len(_ADJECTIVES))
    remaining, noun = divmod(remaining, 10)
    year, pattern = divmod(remaining, len(_PATTERNS))
    title = _PATTERNS[pattern].format(adjective=_ADJECTIVES[adjective], noun=_NOUNS[taste].split()[noun])
    return Film(title, FIRST_INVENTED_YEAR + year, taste, invented=True)
