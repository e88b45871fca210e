"""Every folder of cases has a test that is named after it."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
CASES = HERE.parents[2] / "shared" / "cases"


def test_every_folder_of_cases_has_a_test() -> None:
    if not CASES.is_dir():
        pytest.skip(f"the cases are not at {CASES}")
    tests = "".join(path.read_text() for path in HERE.glob("test_*.py"))
    named = re.findall(r"^def test_(\w+)", tests, re.MULTILINE)
    folders = [path.parent.name.replace("-", "_") for path in CASES.rglob("expected.md")]
    assert [folder for folder in folders if not any(name.startswith(folder) for name in named)] == []
