"""What the distribution promises about itself: names, shape, layers, and what a query never imports."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import engine

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("engine", "indexes", "pipelines")
SCRIPTS = ("run.py", "docs/*.py", "benchmarks/*.py")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
SOURCES = sorted(
    {
        *MODULES,
        *(path for package in PACKAGES for path in (ROOT / package).rglob("*.sql")),
        *(path for pattern in (*SCRIPTS, "tests/**/*.py") for path in ROOT.glob(pattern)),
    }
)

# Runs first in a process, and makes an import of anything that only building needs fail.
BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        heavy = {"tensorflow", "keras", "pandas", "pyarrow", "scipy", "sklearn", "matplotlib", "optuna"}
        if name.partition(".")[0] in heavy | {"vaderSentiment"}:
            raise ImportError(f"{name} is not there at query time")

sys.meta_path.insert(0, Blocker())
"""


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_exported_name_is_there_and_explained() -> None:
    for name in engine.__all__:
        assert getattr(engine, name).__doc__, name


@pytest.mark.parametrize("path", [*MODULES, *(p for s in SCRIPTS for p in ROOT.glob(s))], ids=relative)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_no_file_is_over_400_lines() -> None:
    lengths = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_the_layers_hold() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    if not lint_imports.exists():
        pytest.skip("import-linter is not installed")
    checked = subprocess.run(
        [lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_the_distribution_holds_every_package_and_nothing_else() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    on_disk = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in PACKAGES
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert set(settings["tool"]["setuptools"]["packages"]) == on_disk


def test_the_distribution_holds_every_file_that_code_reads() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tools = settings["tool"]["setuptools"]
    shipped = {
        path
        for package in tools["packages"]
        for pattern in tools["package-data"]["*"]
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    beside_code = {
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
    assert beside_code == shipped


def test_every_dependency_is_pinned() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    names = {pin.partition("==")[0] for pin in pins}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = settings["optional-dependencies"]
    wanted = [*settings["dependencies"], *extras["build"], *extras["serve"], *extras["test"], *extras["dev"]]
    named = {re.split(r"[>;\[]", need)[0] for need in wanted} - {"movie-engine"}
    assert all("==" in pin and "/" not in pin for pin in pins)
    assert named <= names


def test_a_build_without_its_packages_is_refused_in_one_sentence(tmp_path: Path) -> None:
    script = "from engine.cli.main import main; main()"
    for words in (
        ["build-index", "--sample", "--output", str(tmp_path / "index")],
        ["evaluate", str(ROOT / "data/sample/reviews.json.gz")],
        ["tune", str(ROOT / "data/sample/reviews.json.gz"), "--output", str(tmp_path / "best.toml")],
        ["explore", str(ROOT / "data/sample/reviews.json.gz"), "--output", str(tmp_path / "page.html")],
    ):
        done = blocked(script, *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert re.fullmatch(
            r"Error: .* needs .*, which this light installation lacks; install with: "
            r"pip install 'movie-engine\[build\]'\n",
            done.stderr,
        )
    assert list(tmp_path.iterdir()) == []


def blocked(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"{BLOCKER}\n{script}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_blocker_blocks() -> None:
    assert "is not there at query time" in blocked("import pandas").stderr


def test_python_answers_without_what_only_building_needs(sample_index: Path) -> None:
    script = """
from engine import Engine
engine = Engine.load(sys.argv[1])
reviewers, movies = ["A3ROS56ZKFSSN", "A2EQ0FS58V981"], ["B000000016", "B003Q57W75"]
assert len(engine.recommend(reviewers[0], k=4)) == 4
assert len(engine.recommend(reviewers[0], k=4, where="average_rating > 3")) == 4
assert len(engine.recommend_many(reviewers, k=4)) == 2
assert len(engine.similar(movies[0], k=4)) == 4
assert len(engine.predict(reviewers, movies).mean) == 2
assert len(engine.score_all(reviewers[0])) == engine.num_movies
"""
    done = blocked(script, str(sample_index))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "words",
    [
        ["recommend", "reviewer", "A3ROS56ZKFSSN"],
        ["similar", "movie", "B000000016"],
        ["predict", "A3ROS56ZKFSSN", "B000000016"],
        ["show", "movie", "B000000016"],
        ["show", "reviewer", "A3ROS56ZKFSSN"],
        ["info"],
    ],
    ids=" ".join,
)
def test_the_command_line_answers_without_what_only_building_needs(
    words: list[str], sample_index: Path
) -> None:
    script = "from engine.cli.main import main; main()"
    done = blocked(script, *words, "--index", str(sample_index), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("{")


NOT_FOR_ONE_QUESTION = {
    *("duckdb", "difflib", "numpy.ma", "numpy.random", "tomllib", "importlib.metadata", "concurrent.futures"),
    *(
        "engine.artifact.databases",
        "engine.cli.title_option",
        "engine.config.sections",
        "engine.catalogue.database",
        "engine.catalogue.filters",
        "engine.catalogue.titles",
        "engine.lists.variety",
        "engine.lists.groups",
    ),
    *("engine.feedback.events", "engine.feedback.fresh", "engine.feedback.hidden", "engine.feedback.journal"),
    *(
        "engine.model.newcomers",
        "engine.model.similar",
        "engine.lists.popular",
        "engine.relations.similar_movies",
        "engine.relations.predictions",
        "engine.search.filtered",
        "engine.search.top_lists",
    ),
    *(
        "engine.cli.commands.indexing.build_index",
        "engine.cli.commands.studying.evaluate",
        "engine.cli.commands.answering.similar",
        "engine.cli.commands.studying.tune",
    ),
    *("indexes.choose", "indexes.recall", "pipelines"),
}


def test_a_cold_question_imports_only_what_it_needs(sample_index: Path) -> None:
    script = (
        "import sys, numpy, faiss, click\n"
        "before = set(sys.modules)\n"
        "from engine.cli.main import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "print(*sorted(set(sys.modules) - before), file=sys.stderr)"
    )
    words = ["recommend", "reviewer", "A3ROS56ZKFSSN", "--index", str(sample_index), "--json"]
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)
    imported = set(done.stderr.split())
    assert "engine.recommender" in imported
    assert imported & NOT_FOR_ONE_QUESTION == set()


def test_help_imports_neither_the_model_nor_a_command() -> None:
    script = "import sys\nfrom engine.cli.main import main\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert "engine.cli.main" in imported
    unneeded = {"numpy", "faiss", "engine.recommender", "engine.cli.commands.answering.recommend"}
    assert imported & unneeded == set()
