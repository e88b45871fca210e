"""Asks every command with --json, and compares the answers with those of another checkout.

    python benchmarks/same_answers.py ask before --engine "python -m engine.cli"   # there
    python benchmarks/same_answers.py ask after
    python benchmarks/same_answers.py compare before after

`ask FOLDER` builds an index of the bundled sample and one of MovieLens 100K in the folder, with the seed 42,
asks all commands, and writes FOLDER/answers.json. `compare` prints every value that differs, numbers only by
more than a thousandth; paths, times and checksums are ignored. `figures FOLDER` compares the MovieLens
figures of a folder with `movielens_figures.json`, beside this script.
"""

from __future__ import annotations

import json
import math
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "movielens-100k"
FIGURES = Path(__file__).with_name("movielens_figures.json")
TOLERANCE = 1e-3
"""The largest difference of two numbers that count as equal, relative and absolute."""
IGNORED = {
    *("location", "directory", "path", "sha256", "size"),
    *("built_at", "created", "package_version", "seconds", "fit_seconds", "when"),
    *("build", "build_before", "index_rebuilt_from", "output", "pace", "seconds_a_megabyte", "disk"),
    *("digest", "bytes", "bytes_alone"),
}
"""Names of values that differ from run to run."""

BUILD_MODELS = ("ncf", "popularity", "constant")
"""The models whose figures stand in the manifest of every build."""
FILMS = ("B000000016", "B00D58TUF2", "B007V8ONL2")
PEOPLE = ("A3ROS56ZKFSSN", "A2EQ0FS58V981")
QUESTIONS = (
    "info --verify",
    f"recommend reviewer {PEOPLE[0]}",
    f"recommend reviewer {PEOPLE[1]} -k 25 --where 'year < 1980'",
    f"recommend reviewer {PEOPLE[0]} --include-seen --all-variants",
    f"recommend reviewer {PEOPLE[0]} --only {','.join(FILMS)}",
    f"recommend reviewer {PEOPLE[0]} --exclude {FILMS[0]} --min-rating 4 --no-because",
    f"recommend reviewer {PEOPLE[0]} --diversity 0.5 --novelty 0.3 --show-variants",
    f"recommend reviewer {PEOPLE[0]} --no-cold --format-preference blu-ray",
    "recommend reviewer nobody --fallback popular",
    f"recommend ratings {FILMS[0]}=5 {FILMS[1]}=4 {FILMS[2]}=2",
    f"recommend group {' '.join(PEOPLE)}",
    f"recommend group {' '.join(PEOPLE)} --strategy least-misery",
    f"recommend movie {FILMS[0]}",
    f"similar movie {FILMS[0]}",
    f"similar movie {FILMS[1]} -k 5 --where 'price < 10' --no-cold",
    "similar movie --title 'star wars' -k 5 --all-variants",
    f"similar reviewer {PEOPLE[0]}",
    f"predict {PEOPLE[0]} {' '.join(FILMS)}",
)
MOVIELENS_QUESTIONS = (
    "info",
    *(f"recommend reviewer {reviewer}" for reviewer in (1, 78, 405, 655, 943)),
    "recommend reviewer 13 -k 50 --min-rating 3.5",
    "recommend ratings 50=5 172=5 1=4",
    "recommend group 1 2 3",
    "recommend movie 50 -k 20",
    *(f"similar movie {movie}" for movie in (1, 50, 288, 1662)),
    "similar reviewer 1",
    "predict 1 50 100 1662",
)


@click.group()
def main() -> None:
    """Compare the answers of two checkouts."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--engine", default="engine", show_default=True, help="The command to ask.")
@click.option("--quick", is_flag=True, help="Ask the indexes alone: no evaluation, no plan, no other file.")
def ask(folder: Path, engine: str, quick: bool) -> None:
    """Build what is missing in a folder, ask every command, and write answers.json."""
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    command = shlex.split(engine)
    answers: dict[str, Any] = {}

    def answer(words: str, *arguments: str | Path, index: Path | None = None) -> None:
        began = time.perf_counter()
        whole = [*command, *shlex.split(words), *map(str, arguments), "--json"]
        if index is not None:
            whole += ["--index", str(index)]
        done = subprocess.run(whole, capture_output=True, text=True, cwd=folder, check=False)
        name = f"{index.name + ': ' if index else ''}{words}"
        answers[name] = json.loads(done.stdout) if done.returncode == 0 else {"failed": done.stderr[-2000:]}
        click.echo(f"{time.perf_counter() - began:7.1f} s  {done.returncode}  {name}", err=True)

    sample, movielens = folder / "sample", folder / "movielens"
    if not sample.exists():
        answer("build-index --sample --seed 42", "--output", sample)
    if not movielens.exists():
        answer("build-index --seed 42", DATA / "u.data", "--output", movielens)
    for question in QUESTIONS:
        answer(question, index=sample)
    for question in MOVIELENS_QUESTIONS:
        answer(question, index=movielens)
    if not quick:
        _ask_files(folder, sample, answer)
    (folder / "answers.json").write_text(json.dumps(answers, indent=1), encoding="utf-8")


def _ask_files(folder: Path, sample: Path, answer: Any) -> None:
    """Asks the commands that read files, and the commands that change an index, on a copy of the sample's."""
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(sample, copy)
    new = folder / "new.csv"
    new.write_text(
        "reviewer,movie,rating,time\n"
        f"{PEOPLE[0]},{FILMS[0]},5,1600000000\nsomebody,{FILMS[1]},4,1600000001\nsomebody,{FILMS[2]},2,1600000002\n",
        encoding="utf-8",
    )
    described = folder / "described.csv"
    described.write_text(
        "movie,title,category,price,year\nB0NEW00001,Star Trek: A New Film,Science Fiction,9.99,2018\n",
        encoding="utf-8",
    )
    answer("add-reviews", new, index=copy)
    answer("add-movies", described, index=copy)
    answer("index", index=copy)
    answer("recommend reviewer somebody", index=copy)
    answer("similar movie B0NEW00001", index=copy)
    answer("recommend all", "--output", folder / "lists", index=sample)
    answer("explore", DATA / "u.data")
    answer("plan", DATA / "u.data")
    answer("prepare", DATA / "u.data", "--output", folder / "prepared.parquet")
    answer("evaluate --protocol last-share --models ncf,popularity,item-knn,ease --seed 42", DATA / "u.data")
    answer(
        "evaluate --models ncf,base,final,popularity --seed 42",
        *("--train", DATA / "u1.base", "--test", DATA / "u1.test"),
    )


@main.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
def compare(before: Path, after: Path) -> None:
    """Print what differs between the answers in two folders; exit 1 where anything does."""
    first, second = (json.loads((folder / "answers.json").read_text()) for folder in (before, after))
    _report(first, second, "answers")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="Write the figures down instead of comparing them.")
def figures(folder: Path, write: bool) -> None:
    """Compare the MovieLens figures of a folder with the figures that are written down."""
    answers = json.loads((folder / "answers.json").read_text())
    found = {name: answers[name]["mean"] for name in answers if name.startswith("evaluate")}
    info = answers["movielens: info"]
    found["build-index"] = {name: info[name] for name in ("counts", "audit")}
    found["build-index"]["metrics"] = {name: info["metrics"][name] for name in BUILD_MODELS}
    if write:
        FIGURES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    else:
        _report(json.loads(FIGURES.read_text(encoding="utf-8")), found, "sets of figures")


def _report(before: dict[str, Any], after: dict[str, Any], what: str) -> None:
    """Prints what differs, and exits with 1 where anything does."""
    differences = [line for name in before for line in _differences(name, before[name], after.get(name))]
    for line in differences:
        click.echo(line)
    click.echo(f"{len(before)} {what} compared, {len(differences)} differences")
    sys.exit(1 if differences else 0)


def _differences(where: str, before: Any, after: Any) -> Iterator[str]:
    """Yields a line for every value that differs; `where` is the path of names to the value."""
    if where.rpartition(" > ")[2] in IGNORED:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            if name in before and name in after:
                yield from _differences(f"{where} > {name}", before[name], after[name])
            elif name not in IGNORED:
                yield f"{where} > {name}: only {'before' if name in before else 'after'}"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(f"{where} > {place}", one, other)
    elif isinstance(before, float) and isinstance(after, float):
        if not math.isclose(before, after, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            yield f"{where}: {before} is now {after}"
    elif before != after:
        yield f"{where}: {str(before)[:300]} is now {str(after)[:300]}"


if __name__ == "__main__":
    main()
