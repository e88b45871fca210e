"""Every file, array and section of an index is named in `engine/artifact/layout.py`, and nowhere else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import made_index
import pytest

from engine.artifact import layout
from engine.artifact.layout import ARRAY_ENDING, RATING_LAYER_ARRAYS
from engine.artifact.reader import Artifact

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path for package in ("engine", "pipelines") for path in (ROOT / package).rglob("*.py"))
NAMING = {"add_array", "add_section", "array", "has", "file", "handle", "path_for"}
"""Methods and functions whose first argument names a part of an index."""


def strings_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings_in(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from strings_in(item)


def named() -> tuple[set[str], set[str]]:
    """Returns the file names that the layout gives, and the names of sections."""
    constants = {name: value for name, value in vars(layout).items() if name.isupper()}
    files = {value for name, value in constants.items() if name.endswith("_FILE")}
    arrays = {
        text
        for name, value in constants.items()
        if not name.endswith(
            ("_FILE", "_SECTION", "_ENTRY", "_ENTRIES", "_SLOPES", "_ENDING", "_SHAPES", "ROWS", "OFFSETS")
        )
        for text in strings_in(value)
    }
    arrays |= {name.format(layer) for layer in range(5) for name in RATING_LAYER_ARRAYS}
    sections = {value for name, value in constants.items() if name.endswith(("_SECTION", "_ENTRY"))}
    return files | {name + ARRAY_ENDING for name in arrays}, sections


@pytest.mark.parametrize("rated", [True, False])
def test_the_layout_names_every_part_of_an_index(tmp_path: Path, *, rated: bool) -> None:
    artifact = Artifact.open(made_index.write_index(tmp_path / "index", rated=rated))
    files, sections = named()
    assert set(artifact.manifest["files"]) <= files
    assert set(artifact.manifest) <= sections


def test_the_layout_names_every_part_of_a_built_index(sample_index: Path) -> None:
    artifact = Artifact.open(sample_index)
    files, sections = named()
    assert set(artifact.manifest["files"]) <= files
    assert set(artifact.manifest) <= sections


def test_every_layer_of_a_rating_head_has_a_shape_and_a_file_name() -> None:
    assert layout.ARRAY_SHAPES["rating_kernel_0"] == "float32 [3 * rating_dim, num_inputs_1]"
    for layer in range(layout.MOST_RATING_LAYERS):
        kernel, bias = (name.format(layer) for name in RATING_LAYER_ARRAYS)
        assert layout.ARRAY_SHAPES[bias] == f"float32 [num_inputs_{layer + 1}]"
        assert layout.ARRAY_SHAPES[kernel].endswith(f", num_inputs_{layer + 1}]")
        assert layer == 0 or layout.ARRAY_SHAPES[kernel].startswith(f"float32 [num_inputs_{layer}, ")
        assert {kernel + ARRAY_ENDING, bias + ARRAY_ENDING} <= layout.FILE_NAMES


@pytest.mark.parametrize("name", ["../movie_vectors.npy", "rating_kernel_100.npy", "movie_vectors", ""])
def test_a_file_of_another_name_is_no_file_of_an_index(name: str) -> None:
    assert name not in layout.FILE_NAMES


def spelled_out(path: Path) -> Iterator[str]:
    """Finds calls and look-ups of a module that spell the name of a part out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name: ast.expr | None = None
        if isinstance(node, ast.Call) and node.args:
            function = node.func
            called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            is_other_array = ast.unparse(function) in ("np.array", "array")
            if (called in NAMING and not is_other_array) or ast.unparse(function).endswith("manifest.get"):
                name = node.args[0]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith(("manifest", ".sections")):
            name = node.slice
        if isinstance(name, ast.JoinedStr | ast.Constant):
            yield f"line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_module_spells_a_name_out(path: Path) -> None:
    assert list(spelled_out(path)) == []


def test_offsets_and_rows_of_every_table_are_checked() -> None:
    offsets = {name for name in layout.ARRAY_SHAPES if name.endswith("_offsets")}
    rows = {name for name in layout.ARRAY_SHAPES if name.endswith("_rows")}
    assert set(layout.OFFSETS) == offsets
    assert set(layout.ROWS) == rows
