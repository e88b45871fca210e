"""Asks thousands of random conditions of `--where`, and checks how long and how much memory each takes.

    python benchmarks/conditions.py [--number 2000] [--seed 1] [--json conditions.json]

The conditions follow the grammar of SQL expressions. Half of them call only functions that a condition may
call, nested or repeated as often as a condition may; the others call anything. The descriptions of the movies
are long. Each condition must be answered, or refused in one sentence, within the time limit and a second.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from measuring import parser_for, write_figures

from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.database import Catalogue
from engine.catalogue.matching import TIME_LIMIT
from engine.errors import FilterError
from pipelines.export.catalogue import write_catalogue
from pipelines.work.database import open_database

NUM_MOVIES = 20_000
MOST_BYTES = 1_000_000_000
"""The most memory that a condition may take beyond the memory of the process before."""
TEXTS = ("title", "category", "description", "description", "brand", "movie_id")
NUMBERS = ("price", "year", "rank", "average_rating", "movie_count")
GOOD_TEXT = (
    *("lower({})", "upper({})", "trim({})", "strip_accents({})", "left({}, 5)", "right({}, 9000)"),
    *("{}::varchar", "substring({}, 2)", "regexp_extract({}, '(a+)+b')", "split_part({}, 'a', 2)"),
    *("regexp_extract({}, '(.?){{20}}x')", "coalesce({}, {})", "nullif({}, {})", "greatest({}, {})"),
    *("case when {} = 'a' then {} else {} end", "if({} = 'a', {}, {})", "try_cast({} as json) ->> '$.a'"),
)
BAD_TEXT = (
    *("{} || {}", "replace({}, 'a', 'aaaaaaaaaaaaaaaa')", "repeat({}, 1000)", "concat({}, {})", "md5({})"),
    *("regexp_replace({}, '', 'aaaa', 'g')", "array_to_string(split({}, ''), 'aaaa')", "[{}]::varchar"),
    *("{}::blob::bit::varchar", "{}::varchar[]::varchar", "read_text({})", "format('{{:>1000}}', {})"),
    *("list_transform([{}], lambda x: x)[1]", "json_extract_string({}, '$..*')", "reverse({})"),
)
GOOD_NUMBER = (
    *("{} + {}", "abs({})", "{} ** {}", "round({} / {})", "-{}", "{} % 7", "greatest({}, {})"),
    *("{}::integer", "try_cast({} as bigint) * {}"),
)
GOOD_OF_TEXT = ("length({})", "strpos({}, 'aab')", "ascii({})", "try_cast({} as double)")
BAD_OF_TEXT = ("levenshtein({}, {})", "jaccard({}, {})", "damerau_levenshtein({}, {})")
GOOD_TEST = (
    *("{} = {}", "{} like '%a%a%a_%b%'", "{} ilike '%a%b_%c%a%'", "{} in ('a', 'b')", "contains({}, {})"),
    *("regexp_matches({}, '(a|b)*a(a|b){{20}}x')", "{} ~ '(.*.*.*.*)*z'", "{} between {} and {}"),
    *("{} is null", "starts_with({}, 'a')", "{} similar to '(\\pL.?){{20}}'", "{} is distinct from {}"),
)
BAD_TEST = ("regexp_matches({}, {})", "{} like {}", "{} ~ '((a?){{10}}){{50}}'", "{} ~ '(.?){{1000}}'")


class Grammar:
    """Makes random conditions; `good` conditions call only functions that a condition may call."""

    def __init__(self, generator: random.Random, *, good: bool) -> None:
        self._random = generator
        self._texts = GOOD_TEXT if good else GOOD_TEXT + BAD_TEXT
        self._of_text = GOOD_OF_TEXT if good else GOOD_OF_TEXT + BAD_OF_TEXT
        self._tests = GOOD_TEST if good else GOOD_TEST + BAD_TEST

    def condition(self, depth: int) -> str:
        """Returns a condition whose calls are nested up to `depth` times."""
        chance = self._random.random()
        if depth > 1 and chance < 0.3:
            joiner = self._random.choice([" and ", " or "])
            parts = [self.condition(depth - 1) for _ in range(self._random.randint(2, 6))]
            return f"({joiner.join(parts)})"
        if chance < 0.4:
            return f"not {self.condition(depth)}"
        if chance < 0.6:
            return self._fill("{} < {}", self._number, depth)
        return self._fill(self._random.choice(self._tests), self._text, depth)

    def repeated(self) -> str:
        """Returns a condition that nests one call in itself, or that joins many copies of one test."""
        times = self._random.choice([2, 3, 10, 25, 40, 100, 200])
        if self._random.random() < 0.5:
            call = self._random.choice([call for call in self._texts if call.count("{}") == 1])
            inner = self._random.choice(TEXTS)
            for _ in range(min(times, 40)):
                inner = call.replace("{}", inner)
            return f"{_without_doubled(inner)} = 'x'"
        test = self._random.choice(self._tests).replace("{}", self._text(1))
        return " or ".join(f"({_without_doubled(test)} and year <> {number})" for number in range(times))

    def _text(self, depth: int) -> str:
        if depth <= 0 or self._random.random() < 0.1:
            constant = f"'{'a' * self._random.choice([1, 100, 3000])}b'"
            return self._random.choice([*TEXTS, "'aab'", constant])
        return self._fill(self._random.choice(self._texts), self._text, depth)

    def _number(self, depth: int) -> str:
        if depth <= 0 or self._random.random() < 0.1:
            return self._random.choice([*NUMBERS, "1", "1e308", "9" * 400, "-0.5"])
        if self._random.random() < 0.4:
            return self._fill(self._random.choice(self._of_text), self._text, depth)
        return self._fill(self._random.choice(GOOD_NUMBER), self._number, depth)

    def _fill(self, pattern: str, make: Callable[[int], str], depth: int) -> str:
        first, *others = pattern.split("{}")
        return (
            f"({_without_doubled(first)}"
            + "".join(f"{make(depth - 1)}{_without_doubled(other)}" for other in others)
            + ")"
        )


def _without_doubled(text: str) -> str:
    return text.replace("{{", "{").replace("}}", "}")


class Memory(threading.Thread):
    """Notes the largest resident memory of the process since the last reset."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.largest = 0

    def run(self) -> None:
        """Looks a hundred times a second."""
        while True:
            self.largest = max(self.largest, self.now())
            time.sleep(0.01)

    def now(self) -> int:
        """Returns the resident memory in bytes."""
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def write_movies(directory: Path) -> Artifact:
    """Writes an index that holds only a catalogue, with long descriptions, and returns the index."""
    with open_database(directory / "work.duckdb") as database, ArtifactWriter(directory / "index") as writer:
        database.execute(
            "create table movies as select range::integer as movie_row, "
            "format('M{:05d}', range) as movie_id, repeat('aab', (range % 60)::integer) as title, "
            "'Drama | Noir' as category, 'DVD' as main_cat, range || repeat('ab a', "
            "case when range % 100 = 0 then 20000 else (range % 700)::integer end) as description, "
            "'Acme' as brand, (range % 30)::double as price, 7 as rank, "
            "(1950 + range % 70)::integer as year, null::varchar as date, range::integer as movie_count, "
            "null::varchar[] as links, 3.5::double as average_rating from range(?)",
            [NUM_MOVIES],
        )
        write_catalogue(database, writer)
    return Artifact.open(directory / "index")


def main() -> None:
    """Asks the conditions, prints the figures, and fails if a condition took too much."""
    parser = parser_for(__doc__)
    parser.add_argument("--number", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    generator = random.Random(asked.seed)
    grammars = [Grammar(generator, good=True), Grammar(generator, good=False)]
    counts: Counter[str] = Counter()
    slowest, largest = (0.0, ""), (0, "")
    with tempfile.TemporaryDirectory() as directory:
        catalogue = Catalogue(write_movies(Path(directory)))
        catalogue.matching_rows("title is not null")
        memory = Memory()
        memory.start()
        for number in range(asked.number):
            grammar = grammars[number % 2]
            text = grammar.repeated() if number % 5 == 0 else grammar.condition(generator.randint(1, 6))
            before = memory.largest = memory.now()
            began = time.monotonic()
            counts[_outcome(catalogue, text)] += 1
            slowest = max(slowest, (round(time.monotonic() - began, 2), text[:500]))
            largest = max(largest, (memory.largest - before, text[:500]))
        catalogue.close()
    write_figures({"counts": counts, "slowest": slowest, "largest": largest}, asked.json)
    if slowest[0] > TIME_LIMIT + 1 or largest[0] > MOST_BYTES:
        sys.exit("A condition took too much")


def _outcome(catalogue: Catalogue, text: str) -> str:
    try:
        catalogue.matching_rows(text)
    except FilterError as error:
        return "stopped" if "takes longer" in str(error) else "refused"
    return "answered"


if __name__ == "__main__":
    main()
