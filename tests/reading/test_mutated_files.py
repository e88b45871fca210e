"""The benchmark of damaged files, for some files: each is read in full or refused in one sentence."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_damaged_files_are_read_in_full_or_refused() -> None:
    script = ROOT / "benchmarks" / "mutated_files.py"
    done = subprocess.run(
        [sys.executable, str(script), "--number", "60", "--seed", "20000", "--processes", "1"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [(files, read)] = re.findall(r"^\| all +\| +(\d+) \| +(\d+)", done.stdout, re.MULTILINE)
    assert int(files) == 60
    assert int(read) > 30
