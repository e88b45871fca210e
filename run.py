"""Runs the project's chores, each in the project's own environment: python3 run.py COMMAND.

Needs Python alone. The environment is made on first use, in .venv or where MOVIE_ENGINE_VENV says, with the
versions that constraints.txt pins.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("MOVIE_ENGINE_VENV") or ROOT / ".venv").absolute()
CONSTRAINTS = ROOT / "constraints.txt"
EXTRAS = "[test,dev]"
PLAIN = "no-extras"
MOST_LIGHT = 400_000_000
"""The most bytes that an environment with the distribution and no extra may take."""
QUICK = (
    *("--set", "relevance.max_rounds=2", "--set", "rating.max_rounds=2", "--set", "relevance.num_members=1"),
    *("--set", "split.max_holdouts=1", "--set", "report.baselines_up_to=0"),
)
"""Options with which a build takes two thirds of its time; how good its lists are is not checked."""
LIGHT_QUESTIONS = (
    "recommend reviewer A3ROS56ZKFSSN -k 3",
    "recommend all --output lists",
    "similar movie B000000016 -k 3",
    "predict A3ROS56ZKFSSN B000000016",
    "show movie B000000016",
    "info",
)
PACKAGES = {"engine", "indexes", "pipelines"}


def setup(extras: str = EXTRAS) -> None:
    """Make the environment, or bring it up to date."""
    described = b"".join(path.read_bytes() for path in (ROOT / "pyproject.toml", CONSTRAINTS))
    state = hashlib.sha256(described).hexdigest()
    mark = VENV / ".installed"
    installed = mark.read_text().split() if mark.is_file() else []
    if state in installed and {extras or PLAIN, EXTRAS} & set(installed):
        return
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            "This Python cannot make environments, for it lacks ensurepip; on Debian and Ubuntu install it "
            "with: apt-get install python3-venv"
        )
    if not (VENV / "bin" / "pip").exists():
        venv.create(VENV, with_pip=True, symlinks=True)
    print(f"Installing into {VENV}: a few minutes, once.", file=sys.stderr, flush=True)
    # Where Python may write no bytecode, each process would compile all that it imports.
    install(VENV, "-e", f"{ROOT}{extras}", compiled=sys.dont_write_bytecode)
    mark.write_text(f"{state} {extras or PLAIN}\n")


def install(environment: Path, *what: str | Path, compiled: bool) -> None:
    """Install pinned packages with uv, or with pip if pip is set up to use another index or uv fails.

    uv takes a third of the time of pip, but does not read the configuration of pip.
    """
    pip = (program("python"), "-m", "pip")
    configured = subprocess.check_output([*pip, "config", "list"], text=True)
    if not re.search(r"\.(index-url|no-index)=", configured):
        subprocess.run([*pip, "install", "-qq", "-c", CONSTRAINTS, "uv"], check=False)
        uv = (program("python"), "-m", "uv", "pip", "install", *["--compile-bytecode"] * compiled)
        if not subprocess.run([*uv, "-q", "-c", CONSTRAINTS, "--python", environment, *what]).returncode:
            return
        print("uv could not install the packages; pip tries now.", file=sys.stderr, flush=True)
    done = subprocess.run(
        [environment / "bin" / "pip", "install", "-qq", "-c", CONSTRAINTS, *what], check=False
    )
    if done.returncode:
        sys.exit(done.returncode)


def demo() -> None:
    """Build the sample's index, recommend to one of its reviewers, and list movies like one of its movies."""
    setup(extras="[build,serve]")
    for command in (
        "engine build-index --sample",
        "engine recommend reviewer A3ROS56ZKFSSN -k 5",
        "engine similar movie B000000016 -k 5",
    ):
        print(f"\n$ {command}", flush=True)
        call(*command.split())
    print(
        f"\nTo see the pages: {VENV / 'bin' / 'engine'} serve, then open http://127.0.0.1:8000/", flush=True
    )


def test(*arguments: str) -> None:
    """Run the tests; what follows is passed on to pytest."""
    setup()
    # One process more than most machines that test have cores, because tests also wait: for servers, for Ray.
    processes = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
    call("python", "-m", "pytest", *processes, *arguments)


def fast(*arguments: str) -> None:
    """Run the tests that need neither the real data sets nor a trained network."""
    test("-m", "not slow and not real", *arguments)


def lint() -> None:
    """Check style, types, layers and spelling."""
    setup()
    call("ruff", "check", ".")
    call("ruff", "format", "--check", ".")
    call("mypy")
    call("lint-imports", "--no-logo")
    call("codespell")


def fix() -> None:
    """Correct what can be corrected by itself: style, layout, and generated documentation."""
    setup()
    call("ruff", "check", "--fix", ".")
    call("ruff", "format", ".")
    docs()


def docs() -> None:
    """Write the documentation that is made from the code."""
    setup()
    call("python", "docs/cli_reference.py")
    call("python", "docs/settings.py")
    call("python", "docs/python_api.py")


def notebooks(*arguments: str) -> None:
    """Run the notebooks in docs/, and write their pages with the outputs."""
    setup()
    call("python", "docs/notebooks.py", *arguments)


def bench(*arguments: str) -> None:
    """Measure how long answers take, from the shell and from Python."""
    setup()
    call("python", "benchmarks/answers.py", *arguments)


def wheel() -> None:
    """Build the distribution and check it: its top-level names, and that it works away from this folder."""
    setup()
    with tempfile.TemporaryDirectory() as directory:
        built, installed, elsewhere = (Path(directory, name) for name in ("built", "installed", "elsewhere"))
        elsewhere.mkdir()
        call("python", "-m", "build", "--outdir", built, ROOT)
        [path] = built.glob("*.whl")
        names = {name.split("/")[0] for name in zipfile.ZipFile(path).namelist()}
        unexpected = {name for name in names - PACKAGES if not name.endswith(".dist-info")}
        if unexpected or not names > PACKAGES:
            sys.exit(f"{path.name} holds {sorted(names)} at its top, expected {sorted(PACKAGES)}")
        call("python", "-m", "pip", "install", "-qq", "--no-deps", "--target", installed, path)
        # What PYTHONPATH names is found before the checkout, which the environment knows as well.
        away = {**os.environ, "PYTHONPATH": str(installed)}
        check = f"import engine; assert engine.__file__.startswith({str(installed)!r}), engine.__file__"
        call("python", "-c", check, folder=elsewhere, environment=away)
        build = ("python", "-m", "engine.cli", "build-index", "--sample", *QUICK)
        call(*build, folder=elsewhere, environment=away)
        check_light(path, Path(directory, "light"), elsewhere)


def check_light(wheel: Path, light: Path, folder: Path) -> None:
    """Install the distribution alone into an empty environment, and ask the index in a folder there."""
    venv.create(light, with_pip=True, symlinks=True)
    install(light, wheel, compiled=True)
    size = sum(path.lstat().st_size for path in light.rglob("*"))
    print(f"The light installation takes {size / 1e6:,.0f} MB.", flush=True)
    if size > MOST_LIGHT:
        sys.exit(f"Expected at most {MOST_LIGHT / 1e6:,.0f} MB; find out which dependency is so large.")
    for question in LIGHT_QUESTIONS:
        subprocess.run([light / "bin" / "engine", *question.split()], cwd=folder, check=True)
    build = [light / "bin" / "engine", "build-index", "--sample", "--output", "another"]
    refused = subprocess.run(build, cwd=folder, capture_output=True, text=True, check=False)
    if refused.returncode != 1 or "pip install 'movie-engine[build]'" not in refused.stderr:
        sys.exit(f"Expected a refusal that says what to install, but got: {refused.stderr}")


def pin() -> None:
    """Write constraints.txt: the newest versions that fit each other, as pip resolves them today."""
    with tempfile.TemporaryDirectory() as directory:
        venv.create(directory, with_pip=True, symlinks=True)
        pip = [str(Path(directory, "bin", "pip")), "install", "-qq", "--dry-run", "--report", "-"]
        report = subprocess.check_output([*pip, "--ignore-installed", f"{ROOT}{EXTRAS}"])
    packages = [item["metadata"] for item in json.loads(report)["install"]]
    lines = sorted(
        f"{package['name'].lower().replace('_', '-')}=={package['version']}\n" for package in packages
    )
    CONSTRAINTS.write_text("".join(line for line in lines if not line.startswith("movie-engine=")))


def program(name: str) -> str:
    """Give the path of one of the environment's programs."""
    return str(VENV / "bin" / name)


def call(
    name: str, *arguments: str | Path, folder: Path = ROOT, environment: dict[str, str] | None = None
) -> None:
    """Run one of the environment's programs in a folder, and stop where it fails."""
    done = subprocess.run([program(name), *map(str, arguments)], cwd=folder, env=environment, check=False)
    if done.returncode:
        sys.exit(done.returncode)


COMMANDS = {
    command.__name__: command
    for command in (setup, demo, test, fast, lint, fix, docs, notebooks, bench, wheel, pin)
}
TAKING_ARGUMENTS = ("test", "fast", "notebooks", "bench")


def main() -> None:
    """Run the command that was asked for."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file alone may meet an older one
        sys.exit(f"Python 3.11 or newer is needed, but this is {sys.version.split()[0]}.")
    listing = "\n".join(f"  {name:9} {command.__doc__}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        description=f"{__doc__}\n\n{listing}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="for test, fast, notebooks and bench")
    chosen = parser.parse_args()
    if chosen.arguments and chosen.command not in TAKING_ARGUMENTS:
        parser.error(f"{chosen.command} takes no arguments")
    try:
        COMMANDS[chosen.command](*chosen.arguments)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
