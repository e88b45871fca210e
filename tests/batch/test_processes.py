"""What the processes that make the lists of everyone need: little memory, and no library of builds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from made_index import write_index


def test_memory_does_not_grow_with_the_shards(tmp_path: Path) -> None:
    """The peak of the processes with twelve shards is about that with three."""
    write_index(tmp_path / "index", 6_000)
    script = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from pipelines.batch.recommend_all import recommend_all\n"
        "recommend_all(Path(sys.argv[1]), Path(sys.argv[2]), shard_size=500, processes=1, "
        "reviewers=[f'R{row:05d}' for row in range(int(sys.argv[3]))])\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    peaks = []
    for number in ("1500", "6000"):
        command = [sys.executable, "-c", script, tmp_path / "index", tmp_path / f"lists-{number}", number]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    assert peaks[1] < peaks[0] * 1.1 + 4_000


def test_the_work_needs_nothing_that_only_building_needs(tmp_path: Path) -> None:
    script = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"tensorflow", "keras", "pandas", "sklearn", "matplotlib", "pyarrow"}:
            raise ImportError(name)
sys.meta_path.insert(0, Blocker())
from engine.cli.main import main
main()
"""
    write_index(tmp_path / "index", 50)
    words = [
        "recommend",
        "all",
        "--index",
        str(tmp_path / "index"),
        "--output",
        str(tmp_path / "lists"),
        "--json",
    ]
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["seconds"] < time.perf_counter() - started
