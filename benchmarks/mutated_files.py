"""Reads thousands of damaged files: each must be read in full or be refused in one sentence.

    python benchmarks/mutated_files.py [--number 10000] [--seed 0] [--only SEED] [--json FILE]

Each file is a small whole file (`file_seeds.py`) with one to three mutations (`mutations.py`). The number of
rows read must equal the number that `counting.py` finds by simple rules of its own. `--only` makes and reads
the file of one seed again, says what was done to the file, and keeps the file.
"""

from __future__ import annotations

import logging
import multiprocessing
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import islice
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

import counting
from file_seeds import Seed, seeds
from measuring import parser_for, write_figures
from mutations import mutate

from engine.config.sections import IngestConfig
from engine.errors import EngineError

SECONDS = 30
"""The most seconds of a core that the reading of one small file may take."""
_SECONDS_ON_THE_CLOCK = 300
"""The longest time after which a reading that waits is ended; other programs may slow a reading down."""
MEMORY = 1 << 30
"""The most memory that a process may hold while it reads small files."""
_ADDRESSES = 6 << 30
"""The most address space of a process, beyond which a mistake cannot fill the machine."""
_FILES_A_PROCESS = 250
_LONGEST_SENTENCE = 1_000
_OF_A_FAULT = "please report this"
"""Words of the sentences that say that the reader itself lost rows."""
_CONFIG = IngestConfig(
    min_reviews_per_reviewer=1, min_reviews_per_movie=1, memory_limit="500MB", threads=1, allow_truncated=True
)
_GOOD = ("read", "refused")
_SHOWN = 12
"""The number of seeds that the table shows of each kind of fault."""
_VARYING = re.compile(
    r"\(.*\)|'.*'|\".*\"|`.*`|[0-9][0-9,.]*|" + "|".join(re.escape(seed.name) for seed in seeds())
)
"""Finds the parts of a sentence that differ from file to file."""


class Outcome(NamedTuple):
    """Says what became of one file."""

    seed: int
    name: str
    mutations: tuple[str, ...]
    kind: str
    """One of read, refused, LOST, MISCOUNT, TRACEBACK, SENTENCE, MEMORY and KILLED."""
    detail: str = ""


def damaged(seed: int) -> tuple[Seed, bytes, list[str]]:
    """Returns the whole file that a seed begins with, the damaged bytes, and the names of the mutations."""
    chance = random.Random(f"file {seed}")
    whole = seeds()[seed % len(seeds())]
    return whole, *mutate(chance, whole.name, whole.data)


def read_one(seed: int, folder: Path) -> Outcome:
    """Reads the file of one seed and judges what the reader says about it."""
    whole, data, mutations = damaged(seed)
    path = folder / str(seed) / whole.name
    path.parent.mkdir()
    path.write_bytes(data)
    try:
        found = _ingest(whole, path)
    except EngineError as error:
        sentence = str(error)
        kind = "refused"
        if _OF_A_FAULT in sentence:
            kind = "LOST"
        elif "\n" in sentence or len(sentence) > _LONGEST_SENTENCE:
            kind = "SENTENCE"
        return Outcome(seed, whole.name, tuple(mutations), kind, sentence.replace(str(path), whole.name))
    except Exception:
        last = traceback.format_exc().strip().splitlines()
        return Outcome(seed, whole.name, tuple(mutations), "TRACEBACK", f"{last[-1]} {last[-3].strip()}")
    right = _count(path, whole, data)
    kind, detail = ("read", "") if found == right else ("MISCOUNT", f"{found} read, {right} by count")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    if peak > MEMORY:
        kind, detail = "MEMORY", f"{peak >> 20} MB"
    return Outcome(seed, whole.name, tuple(mutations), kind, detail)


def _ingest(whole: Seed, path: Path) -> int:
    """Returns the number of rows that the reader found in a file."""
    from pipelines.ingest.ingest import ingest
    from pipelines.work.database import open_database

    with tempfile.TemporaryDirectory(dir=path.parent) as work:
        database = open_database(Path(work) / "work.duckdb", memory_limit="500MB", threads=1)
        try:
            if whole.role == "reviews":
                return ingest(database, [path], [], _CONFIG).read
            ratings = path.with_name("ratings-of-movies.csv")
            ratings.write_text("user_id,item_id,rating\nR1,M1,5\nR2,M2,4\n")
            return ingest(database, [ratings], [path], _CONFIG).metadata.lines_read
        finally:
            database.close()


def _count(path: Path, whole: Seed, data: bytes) -> int:
    """Counts the records of a file; the decision about its format and its header is the reader's."""
    from pipelines.reading.formats import inspect_source

    source = inspect_source(path)
    if source.layout == "parquet":
        return counting.count_parquet(path)
    if source.layout == "json":
        return counting.count_objects(path, source.framing) if source.framing else counting.count_lines(path)
    return counting.count_delimited(
        path, source.delimiter, source.header_line, source.num_fields, quoted=source.quoted
    )


def work(tasks: Connection) -> None:
    """Reads the files of the seeds that arrive, and sends an outcome back for each, until told to end."""
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    with tempfile.TemporaryDirectory(prefix="mutated-") as folder:
        while (seed := tasks.recv()) is not None:
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.alarm(_SECONDS_ON_THE_CLOCK)
            outcome = read_one(seed, Path(folder))
            shutil.rmtree(Path(folder) / str(seed))
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
            tasks.send(outcome)


def read_all(asked: Iterator[int], processes: int) -> Iterator[Outcome]:
    """Reads the files of all seeds in several processes, and yields an outcome for each."""
    context = multiprocessing.get_context("spawn")
    busy: dict[Connection, tuple[Any, int, int]] = {}

    def start(seed: int) -> None:
        here, there = context.Pipe()
        process = context.Process(target=work, args=(there,))
        process.start()
        there.close()
        here.send(seed)
        busy[here] = (process, seed, 1)

    for seed in list(islice(asked, processes)):
        start(seed)
    while busy:
        for connection in wait(list(busy)):
            assert isinstance(connection, Connection)
            process, seed, done = busy.pop(connection)
            try:
                yield connection.recv()
            except EOFError:
                process.join()
                yield Outcome(
                    seed, damaged(seed)[0].name, tuple(damaged(seed)[2]), "KILLED", f"exit {process.exitcode}"
                )
                done = _FILES_A_PROCESS
            following = next(asked, None)
            if following is not None and done < _FILES_A_PROCESS:
                connection.send(following)
                busy[connection] = (process, following, done + 1)
                continue
            if process.is_alive():
                connection.send(None)
                process.join()
            connection.close()
            if following is not None:
                start(following)


def show(outcomes: list[Outcome]) -> None:
    """Prints the table of outcomes by kind of file, the faults, and the sentences that refused files."""
    kinds = sorted({outcome.kind for outcome in outcomes} - set(_GOOD))
    by_name = {name: Counter[str]() for name in [*(seed.name for seed in seeds()), "all"]}
    for outcome in outcomes:
        by_name[outcome.name][outcome.kind] += 1
        by_name["all"][outcome.kind] += 1
    columns = (*_GOOD, *kinds)
    print(f"| {'file':21} | {'files':>6} |" + "".join(f" {kind:>9} |" for kind in columns))
    print(f"|{'-' * 23}|{'-' * 7}:|" + f"{'-' * 10}:|" * len(columns))
    for name, counts in by_name.items():
        row = "".join(f" {counts[kind]:>9,} |" for kind in columns)
        print(f"| {name:21} | {counts.total():>6,} |{row}")
    for kind in kinds:
        faults = [outcome for outcome in outcomes if outcome.kind == kind]
        print(f"\n{kind}: {len(faults)}")
        for (name, detail), same in _grouped(faults):
            given = ", ".join(f"{outcome.seed} ({'+'.join(outcome.mutations)})" for outcome in same[:_SHOWN])
            print(f"  {len(same):4} {name}: {detail}\n       --only {given}")
    print("\nSentences that refused files:")
    for number, sentence, seed in sentences(outcomes):
        print(f"  {number:4} {sentence}\n       --only {seed}")


def sentences(outcomes: list[Outcome]) -> list[tuple[int, str, int]]:
    """Returns how often each sentence refused a file, an example of the sentence, and the example's seed."""
    alike: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.kind == "refused":
            alike[_VARYING.sub("_", outcome.detail)].append(outcome)
    found = [(len(same), same[0].detail, same[0].seed) for same in alike.values()]
    return sorted(found, reverse=True)


def _grouped(faults: list[Outcome]) -> list[tuple[tuple[str, str], list[Outcome]]]:
    groups: defaultdict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in faults:
        groups[outcome.name, outcome.detail if outcome.kind != "MISCOUNT" else ""].append(outcome)
    return sorted(groups.items(), key=lambda item: -len(item[1]))


def main() -> None:
    """Reads the damaged files; ends with exit code 1 if one was neither read rightly nor refused."""
    parser = parser_for(__doc__)
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="number the files from this seed on")
    parser.add_argument("--only", type=int, metavar="SEED")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    if asked.only is not None:
        folder = Path(tempfile.mkdtemp(prefix="mutated-"))
        logging.disable(logging.CRITICAL)
        print(read_one(asked.only, folder), folder / str(asked.only), sep="\n")
        return
    started = time.perf_counter()
    outcomes = []
    for outcome in read_all(iter(range(asked.seed, asked.seed + asked.number)), asked.processes):
        outcomes.append(outcome)
        if len(outcomes) % 500 == 0:
            seconds = time.perf_counter() - started
            print(f"{len(outcomes):,} files, {seconds:.0f} s", file=sys.stderr, flush=True)
    outcomes.sort()
    show(outcomes)
    counts = Counter(outcome.kind for outcome in outcomes)
    write_figures({"counts": counts, "seconds": time.perf_counter() - started}, asked.json)
    sys.exit(any(kind not in _GOOD for kind in counts))


if __name__ == "__main__":
    main()
