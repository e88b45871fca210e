"""The benchmark of damaged files, for some files: each is read in full or refused in one sentence."""

import gzip
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_damaged_files_are_read_in_full_or_refused() -> None:
    script = ROOT / "benchmarks" / "mutated_files.py"
    done = subprocess.run(
        [sys.executable, str(script), "--number", "38", "--seed", "20000", "--processes", "1"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [(files, read)] = re.findall(r"^\| all +\| +(\d+) \| +(\d+)", done.stdout, re.MULTILINE)
    assert int(files) == 38  # Two of each kind.
    assert int(read) > 19


def test_the_lines_before_the_damage_of_a_gzip_are_counted(tmp_path: Path) -> None:
    count_lines = runpy.run_path(str(ROOT / "benchmarks" / "counting.py"))["count_lines"]
    whole = gzip.compress(b"one\n" * 30 + b"another\n")
    wrong_checksum = whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:]
    for damaged, lines in ((wrong_checksum, 31), (whole + wrong_checksum, 62), (whole[:-12], 30)):
        (tmp_path / "lines.gz").write_bytes(damaged)
        assert count_lines(tmp_path / "lines.gz") == lines
