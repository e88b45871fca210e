"""Invented reviews and the files that hold them, for tests of files as people have them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple


class Row(NamedTuple):
    """An invented review."""

    reviewer: str
    movie: str
    rating: int
    time: int


def rows(num_reviewers: int = 20, num_movies: int = 12, each: int = 6) -> list[Row]:
    """Gives 120 invented reviews, in which each movie has a few likes and each reviewer several reviews."""
    chance = random.Random(5)
    found = [
        Row(
            f"u{reviewer}",
            f"m{movie}",
            chance.randint(1, 5),
            1_500_000_000 + 86_400 * (reviewer + 7 * number),
        )
        for reviewer in range(num_reviewers)
        for number, movie in enumerate(chance.sample(range(num_movies), each))
    ]
    chance.shuffle(found)
    return found


ROWS = rows()
NUM_ROWS = len(ROWS)
TITLES = {f"m{number}": f"Film {number} ({1960 + number})" for number in range(12)}


def write(name: str, data: str | bytes) -> Path:
    """Writes a file in the folder of the test, where the commands run."""
    path = Path(name)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def table(
    lines: Iterable[Iterable[object]], header: str = "user_id,item_id,rating,timestamp", by: str = ","
) -> str:
    """Gives a table with a header and one line for each list of fields, without quotes of its own."""
    return "".join(
        f"{line}\n" for line in [*([header] if header else []), *(by.join(map(str, f)) for f in lines)]
    )


def json_lines(objects: Iterable[Mapping[str, object]]) -> str:
    """Gives one line of JSON for each object."""
    return "".join(f"{json.dumps(one)}\n" for one in objects)


def amazon(row: Row, **more: object) -> dict[str, object]:
    """Gives a review with the names of Amazon's reviews of 2018."""
    return {
        "reviewerID": row.reviewer,
        "asin": row.movie,
        "overall": float(row.rating),
        "unixReviewTime": row.time,
        **more,
    }


def shop_reviews() -> list[dict[str, object]]:
    """Gives the reviews of a small shop, of the reviewers R000 to R019 and the movies M000 to M042."""
    return [
        amazon(Row(f"R{int(row.reviewer[1:]):03}", f"M{int(row.movie[1:]):03}", row.rating, row.time))
        for row in rows(20, 43, 20)
    ]


def shop_movies(label: str = "M", count: int = 43) -> list[dict[str, object]]:
    """Gives the metadata of the movies of a small shop."""
    return [
        {
            "asin": f"{label}{number:03}",
            "title": f"Film {number} ({1950 + number})",
            "price": f"${number + 1}.50",
            "category": ["Movies", "Drama" if number % 2 else "Comedy"],
            "description": [f"words about film {number} and more"],
        }
        for number in range(count)
    ]
