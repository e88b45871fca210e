"""Makes small whole files in every format that is read, each of which `mutations.py` then damages."""

from __future__ import annotations

import gzip
import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

NUM_ROWS = 40
_WORDS = ("fine", "slow", "a “quiet” film", "été", "bright, loud", "100 % fun", "part; two", "映画")


_RATING_COLUMNS = (
    "'R' || range % 8 as user_id, 'M' || range // 8 as item_id, range % 5 + 1.0 as rating, "
    "1400000000 + range as timestamp"
)


@dataclass(frozen=True)
class Seed:
    """Holds a whole file, before any mutation."""

    name: str
    """The name of the file, whose suffix is part of the case."""
    role: Literal["reviews", "metadata"]
    data: bytes
    header: bytes = b""
    """The first line of a table with a header, without its line end."""


def _rows() -> list[tuple[str, str, int, int, str]]:
    chance = random.Random(7)
    return [
        (f"R{number % 8}", f"M{number // 8}", chance.randint(1, 5), 1_400_000_000 + 86_400 * number,
         chance.choice(_WORDS))
        for number in range(NUM_ROWS)
    ]  # fmt: skip


def _table(header: str, rows: Sequence[Sequence[object]], delimiter: str = ",") -> bytes:
    lines = [header, *(delimiter.join(map(str, row)) for row in rows)]
    return "".join(f"{line}\n" for line in lines).encode()


def _quoted(value: object) -> str:
    return '"{}"'.format(str(value).replace('"', '""'))


def _parquet(columns: str) -> bytes:
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.parquet"
        duckdb.sql(f"select {columns} from range({NUM_ROWS})").write_parquet(str(path))
        return path.read_bytes()


@cache
def seeds() -> tuple[Seed, ...]:
    """Returns the whole files, always the same ones in the same order."""
    rows = _rows()
    films = [
        (f"M{number}", f"Film, the {number}th ({1960 + number})", "Drama|War") for number in range(NUM_ROWS)
    ]
    reviews = [
        {"reviewerID": r, "asin": m, "overall": float(n), "unixReviewTime": t, "reviewText": text}
        for r, m, n, t, text in rows
    ]
    movies = [
        {
            "asin": m,
            "title": title,
            "category": ["Movies", "Drama"],
            "description": ['It\'s "good"'],
            "price": "$9.50",
        }
        for m, title, _ in films
    ]
    lines = "".join(f"{json.dumps(row)}\n" for row in reviews).encode()
    movie_lines = "".join(f"{json.dumps(row)}\n" for row in movies).encode()
    multi_line = [
        (r, m, n, t, _quoted(f'{text}\nsecond "line", {n}\n\nlast' if n == 5 else text))
        for r, m, n, t, text in rows
    ]
    quoted = [tuple(map(_quoted, row[:3])) for row in rows]
    movie_table = _table("movieId,title,genres", [(m, _quoted(title), g) for m, title, g in films])
    legacy = "".join(f"{n}::Café {n} (1990)::Drama|War\n" for n in range(NUM_ROWS)).encode("latin-1")
    found = (
        Seed("ratings.csv", "reviews", _table("user_id,item_id,rating,timestamp", [row[:4] for row in rows])),
        Seed("texts.csv", "reviews", _table("user_id,item_id,rating,timestamp,review_text", multi_line)),
        Seed("ratings.tsv", "reviews", _table("user\titem\trating\ttime\tsummary", rows, "\t")),
        Seed("ratings-semicolon.csv", "reviews", _table('"User-ID";"ISBN";"Book-Rating"', quoted, ";")),
        Seed("u.data", "reviews", _table("", [row[:4] for row in rows], "\t").lstrip()),
        Seed("ratings.dat", "reviews", _table("", [row[:4] for row in rows], "::").lstrip()),
        Seed("reviews.json", "reviews", lines),
        Seed("array.json", "reviews", json.dumps(reviews, indent=1).encode()),
        Seed("reviews.json.gz", "reviews", gzip.compress(lines, mtime=0)),
        Seed("literals.json", "reviews", "".join(f"{row!r}\n" for row in reviews).encode()),
        Seed(
            "utf16.csv",
            "reviews",
            _table("user_id,item_id,rating,comment", [(*r[:3], r[4].replace(",", "")) for r in rows])
            .decode()
            .encode("utf-16"),
        ),
        Seed(
            "ratings.parquet",
            "reviews",
            _parquet(_RATING_COLUMNS),
        ),
        Seed("meta.json", "metadata", movie_lines),
        Seed("meta-2014.json", "metadata", "".join(f"{row!r}\n" for row in movies).encode()),
        Seed("meta-array.json", "metadata", json.dumps(movies).encode()),
        Seed("meta.json.gz", "metadata", gzip.compress(movie_lines, mtime=0)),
        Seed("movies.csv", "metadata", movie_table),
        Seed("movies.dat", "metadata", legacy),
        Seed("movies.parquet", "metadata", _parquet("'M' || range as item_id, 'Film ' || range as title")),
    )
    return tuple(_with_header(seed) for seed in found)


def _with_header(seed: Seed) -> Seed:
    first = seed.data.split(b"\n", 1)[0]
    has_header = seed.name.endswith((".csv", ".tsv")) and seed.name != "utf16.csv"
    return Seed(seed.name, seed.role, seed.data, first) if has_header else seed
