"""Runs the commands in this process, over the inputs of the folder ../shared/cases or over invented rows."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from command_runs import QUICK, Engine, Prepare, Prepared, Said
from filelock import FileLock
from invented_files import json_lines, shop_movies, shop_reviews

from engine.cli.main import main

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


SECONDS = 120
"""The longest time of a test; a command that waits for ever, such as for a pipe, is a fault to be found."""


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    """Ends a test that takes too long."""

    def end(*_: object) -> None:
        pytest.fail("The test took too long")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def engine(caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Gives a function that runs a command in this process, in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, stdin: bytes | None = None) -> Said:
        caplog.clear()
        result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, caplog.text + result.stderr)

    return run


@pytest.fixture
def prepare(engine: Engine, tmp_path: Path) -> Prepare:
    """Gives a function that runs `engine prepare`, which must succeed."""

    def run(*arguments: object, stdin: bytes | None = None) -> Prepared:
        table, rejected = tmp_path / "out.parquet", tmp_path / "rejected.parquet"
        said = engine("prepare", *arguments, "--output", table, "--rejected", rejected, "--json", stdin=stdin)
        assert said.code == 0, said
        return Prepared(json.loads(said.stdout)["accounting"], said.log, table, rejected)

    return run


@pytest.fixture
def case(engine: Engine, tmp_path: Path) -> Callable[[str], None]:
    """Gives a function that copies the files of a case into the folder of the test."""

    def copy(name: str) -> None:
        if not CASES.is_dir():
            pytest.skip(f"the cases are not at {CASES}")
        shutil.copytree(CASES / name, tmp_path, dirs_exist_ok=True)
        for path in (tmp_path, *tmp_path.rglob("*")):
            path.chmod(0o755)

    return copy


@pytest.fixture(scope="session")
def built_shop(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Builds a small index of invented reviews and movies, once for all processes; no test changes it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "shop"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "lock"):
        if not (folder / "ix" / "CURRENT").exists():
            (folder / "r.json").write_text(json_lines(shop_reviews()))
            (folder / "m.json").write_text(json_lines(shop_movies()))
            files = [str(folder / "r.json"), "--metadata", str(folder / "m.json")]
            result = CliRunner().invoke(main, ["build-index", *files, "--output", str(folder / "ix"), *QUICK])
            assert result.exit_code == 0, result.output
    return folder / "ix"


@pytest.fixture
def shop(built_shop: Path, engine: Engine) -> Path:
    """Gives a copy of the small index in the folder of the test, by the name `ix`."""
    return Path(shutil.copytree(built_shop, "ix"))
