"""The layout keeps its rules: small rooms, no shared prefixes, one line a face, readable files."""

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = sorted(
    {
        path.parent
        for package in ("engine", "indexes", "pipelines")
        for path in (ROOT / package).rglob("*.py")
        if "sql" not in path.parts
    }
)
HANDING_NAMES_ON = ("engine", "engine/config", "pipelines")
"""The packages whose `__init__.py` holds more than a line."""
MOST_FILES = 13
MOST_LINES = 400


def files_of(room: Path) -> list[Path]:
    return sorted(path for path in room.glob("*.py") if path.name != "__init__.py")


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_a_room_has_at_most_thirteen_files_and_no_two_share_a_prefix(room: Path) -> None:
    files = files_of(room)
    assert len(files) <= MOST_FILES
    prefixes = Counter(path.stem.split("_")[0] for path in files)
    assert [prefix for prefix, count in prefixes.items() if prefix and count > 1] == []


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_the_face_of_a_room_is_one_line(room: Path) -> None:
    face = room / "__init__.py"
    body = ast.parse(face.read_text(encoding="utf-8")).body
    assert ast.get_docstring(ast.parse(face.read_text(encoding="utf-8")))
    assert len(body) == 1 or str(room.relative_to(ROOT)) in HANDING_NAMES_ON


def test_files_have_a_readable_length() -> None:
    lengths = [lines_of(path) for room in ROOMS for path in files_of(room)]
    assert max(lengths) <= MOST_LINES
    assert sum(length > 300 for length in lengths) <= len(lengths) / 10
    assert sum(length < 60 for length in lengths) <= len(lengths) / 10


def test_no_file_defines_a_name_twice() -> None:
    found = []
    for path in (path for room in ROOMS for path in files_of(room)):
        names = Counter(
            target.id
            for statement in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(statement, ast.Assign | ast.AnnAssign)
            for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
            if isinstance(target, ast.Name)
        )
        found += [f"{path.relative_to(ROOT)}: {name}" for name, count in names.items() if count > 1]
    assert found == []
