"""Damages the files of an index in many ways, and counts what an engine then does.

    python benchmarks/damaged_indexes.py movie-index --tries 2000

Each try copies the index, damages one file of the copy, and asks every kind of question in a child process
with limits on memory and time. An answer is compared with the answer of the whole index. The same seed gives
the same tries.

Half of the tries switch off the checksums, as if the index were larger than 64 MB. A changed number that is
still possible, such as one number of a vector, then gives a wrong answer that only `engine info --verify`
finds. Half of these tries also write the size and the checksum of the damaged file into the manifest, as a
hostile person would.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from engine.artifact import layout, reader
from engine.errors import ArtifactError, EngineError
from engine.recommender import Engine

OUTCOMES = ("refused", "same answers", "wrong answer", "traceback", "signal", "too slow")
_SECONDS = 30
"""Seconds after which a child process is killed."""
_MEMORY = 6 * 1024**3
"""Bytes of address space that a child process may take beyond what its parent takes when the child begins."""


class Try(NamedTuple):
    """Says what one try damaged, and what came of it."""

    file: str
    damage: str
    regime: str
    outcome: str
    detail: str


def ask_everything(index: Path) -> list[str]:
    """Asks every kind of question, and returns the answers as texts."""
    engine = Engine.load(index)
    info = engine.info()
    reviewers = engine.reviewer_ids(range(min(3, engine.num_reviewers)))
    movies = engine.movie_ids(range(min(3, engine.num_movies)))
    one, movie = reviewers[-1], movies[-1]
    rated = bool(info["model"]["rating_levels"])
    questions: list[Callable[[], Any]] = [
        lambda: engine.recommend_many(reviewers, 5, because=True, show_variants=True),
        lambda: engine.recommend(one, 5, where="movie_count > 0", diversity=0.5),
        lambda: engine.recommend("nobody at all", 5, fallback="popular"),
        lambda: engine.recommend_for(dict.fromkeys(movies, 5.0 if rated else None), 5),
        lambda: engine.recommend_group(reviewers, 5),
        lambda: engine.list_columns(engine.reviewer_rows(reviewers), 5),
        lambda: engine.similar(movie, 5),
        lambda: engine.similar_reviewers(one, 5),
        lambda: engine.reviewers_for(movie, 5),
        lambda: engine.predictions(one, movies) if rated else None,
        lambda: engine.find_movies("the", 5),
        lambda: engine.score_all(one).tolist(),
    ]
    return [repr(question()) for question in questions]


def damage_index(index: Path, generator: random.Random, *, forged: bool) -> tuple[str, str]:
    """Damages one file of an index; returns the name of the file and the kind of damage.

    If `forged`, the manifest then names the size and the checksum that the damaged file has.
    """
    build = index / (index / layout.CURRENT).read_text().split()[0]
    names = sorted(path.name for path in build.iterdir())
    name = generator.choice([layout.CURRENT, layout.MANIFEST, *names])
    path = index / name if name == layout.CURRENT else build / name
    kind = generator.choice(list(_DAMAGES))
    _DAMAGES[kind](path, build / generator.choice(names), generator)
    if name == layout.CURRENT:
        return name, kind
    if forged and path.is_file() and name != layout.MANIFEST:
        manifest = json.loads((build / layout.MANIFEST).read_bytes())
        entry = manifest["files"][name]
        entry["size"] = path.stat().st_size
        if entry["size"] < 2**30:
            entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        (build / layout.MANIFEST).write_text(json.dumps(manifest))
    if forged and kind not in ("huge", "missing") and (build / layout.MANIFEST).is_file():
        digest = hashlib.sha256((build / layout.MANIFEST).read_bytes()).hexdigest()
        (index / layout.CURRENT).write_text(f"{build.name} {digest}\n")
    return name, kind


def _rewrite(path: Path, change: Callable[[bytearray], object]) -> None:
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


def _flip(content: bytearray, places: list[int], generator: random.Random) -> None:
    for place in places:
        content[place % max(len(content), 1)] ^= 1 << generator.randrange(8)


def _flip_anywhere(path: Path, _: Path, generator: random.Random) -> None:
    _rewrite(path, lambda content: _flip(content, [generator.randrange(2**40)], generator))


def _flip_the_header(path: Path, _: Path, generator: random.Random) -> None:
    _rewrite(path, lambda content: _flip(content, [generator.randrange(200)], generator))


def _flip_many(path: Path, _: Path, generator: random.Random) -> None:
    places = [generator.randrange(2**40) for _ in range(20)]
    _rewrite(path, lambda content: _flip(content, places, generator))


def _replace_a_word(path: Path, _: Path, generator: random.Random) -> None:
    """Writes a number into 8 bytes that begin at a multiple of 8, where most offsets and sizes stand."""
    number = generator.choice([0, 1, -1, 2**31, 2**40, -(2**63), 2**63 - 1, generator.getrandbits(62)])

    def replace(content: bytearray) -> None:
        start = 8 * generator.randrange(max(1, len(content) // 8))
        content[start : start + 8] = number.to_bytes(8, "little", signed=True)[: len(content) - start]

    _rewrite(path, replace)


def _fill(path: Path, _: Path, generator: random.Random) -> None:
    def fill(content: bytearray) -> None:
        start = generator.randrange(max(1, len(content)))
        length = min(generator.choice([16, 512, 4096]), len(content) - start)
        content[start : start + length] = generator.choice([b"\0", b"\xff", b"x"]) * length

    _rewrite(path, fill)


def _cut(path: Path, _: Path, generator: random.Random) -> None:
    os.truncate(path, generator.randrange(path.stat().st_size + 1))


def _extend(path: Path, _: Path, generator: random.Random) -> None:
    path.write_bytes(path.read_bytes() + generator.randbytes(generator.choice([1, 8, 4096])))


def _make_huge(path: Path, _: Path, generator: random.Random) -> None:
    os.truncate(path, generator.choice([2**33, 2**40]))


def _make_a_pipe(path: Path, _: Path, generator: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def _make_a_link(path: Path, other: Path, generator: random.Random) -> None:
    path.unlink()
    path.symlink_to(generator.choice([other, Path("/dev/zero"), Path("/"), Path("nowhere")]))


def _make_a_directory(path: Path, _: Path, generator: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _make_noise(path: Path, _: Path, generator: random.Random) -> None:
    path.write_bytes(generator.randbytes(path.stat().st_size))


def _swap(path: Path, other: Path, _: random.Random) -> None:
    if path != other:
        content, more = path.read_bytes(), other.read_bytes()
        path.write_bytes(more)
        other.write_bytes(content)


_DAMAGES: dict[str, Callable[[Path, Path, random.Random], None]] = {
    "missing": lambda path, _, __: path.unlink(),
    "empty": lambda path, _, __: os.truncate(path, 0),
    "cut": _cut,
    "extended": _extend,
    "one bit flipped": _flip_anywhere,
    "a bit of the header flipped": _flip_the_header,
    "bits flipped": _flip_many,
    "a word replaced": _replace_a_word,
    "a stretch filled": _fill,
    "noise": _make_noise,
    "swapped with another": _swap,
    "huge": _make_huge,
    "a pipe": _make_a_pipe,
    "a link": _make_a_link,
    "a directory": _make_a_directory,
}


def in_child(work: Callable[[], tuple[str, str]]) -> tuple[str, str]:
    """Runs a function in a child process with limits; returns its outcome and a detail."""
    receiver, sender = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(receiver)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        num_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = num_pages * resource.getpagesize() + _MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        signal.alarm(_SECONDS)
        try:
            outcome = work()
        except BaseException:  # Whatever it is, it is what the benchmark looks for.
            outcome = "traceback", traceback.format_exc()[-1200:]
        os.write(sender, json.dumps(outcome).encode()[:60_000])
        os._exit(0)
    os.close(sender)
    with os.fdopen(receiver, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        killed = os.WTERMSIG(status)
        return ("too slow" if killed == signal.SIGALRM else "signal"), signal.Signals(killed).name
    outcome, detail = json.loads(content)
    return outcome, detail


def _compare(index: Path, expected: list[str]) -> tuple[str, str]:
    try:
        found = ask_everything(index)
    except ArtifactError as error:
        return "refused", str(error)
    except EngineError as error:
        return "wrong answer", str(error)
    for answer, right in zip(found, expected, strict=True):
        if answer != right:
            return "wrong answer", f"{answer[:200]} instead of {right[:200]}"
    return "same answers", ""


def try_damages(index: Path, tries: int, seed: int) -> list[Try]:
    """Damages copies of an index `tries` times, and returns what came of each."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder, "answers.json")

        def write_answers() -> tuple[str, str]:
            answers.write_text(json.dumps(ask_everything(index)))
            return "same answers", ""

        import_module("duckdb")  # Once here, not in each child process.
        outcome, detail = in_child(write_answers)
        if outcome != "same answers":
            raise SystemExit(f"The index at {index} does not answer: {detail}")
        expected = json.loads(answers.read_text())
        for number in range(tries):
            generator = random.Random(f"{seed} {number}")
            regime = ("checksums", "no checksums", "checksums", "forged")[number % 4]
            copy = Path(folder, "copy")
            shutil.copytree(index, copy)
            name, kind = damage_index(copy, generator, forged=regime == "forged")
            limit = reader._VERIFIED_ON_OPENING
            reader._VERIFIED_ON_OPENING = limit if regime == "checksums" else -1
            outcome, detail = in_child(partial(_compare, copy, expected))
            reader._VERIFIED_ON_OPENING = limit
            found.append(Try(name, kind, regime, outcome, detail))
            shutil.rmtree(copy)
    return found


def print_counts(found: list[Try]) -> None:
    """Prints how often each outcome came, by regime and by kind of damage."""
    for title, key in (("checksums", lambda one: one.regime), ("damage", lambda one: one.damage)):
        print(f"{title:30}" + "".join(f"{outcome:>15}" for outcome in OUTCOMES))
        for group in sorted({key(one) for one in found}):
            counts = Counter(one.outcome for one in found if key(one) == group)
            print(f"{group:30}" + "".join(f"{counts[outcome]:15,}" for outcome in OUTCOMES))
        print()
    wrong = Counter(one.file for one in found if one.outcome == "wrong answer")
    print("wrong answers by file:", ", ".join(f"{name} {count}" for name, count in wrong.most_common()))


def main() -> None:
    """Reads the command line, runs the tries and prints what came of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("index", type=Path)
    parser.add_argument("--tries", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--details", action="store_true", help="print every traceback and wrong answer")
    options = parser.parse_args()
    started = time.perf_counter()
    found = try_damages(options.index, options.tries, options.seed)
    print_counts(found)
    bad = [one for one in found if one.outcome in ("traceback", "signal", "too slow")]
    for one in [one for one in found if options.details and one.outcome == "wrong answer"] + bad:
        print(f"\n{one.outcome}: {one.file}, {one.damage}, {one.regime}\n{one.detail}")
    print(f"\n{len(found):,} tries in {time.perf_counter() - started:.0f} s")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
