"""Runs the notebooks, and writes their pages with the outputs: python docs/notebooks.py [NAME].

The notebooks in the repository hold no outputs. The page `docs/NAME.md` shows the notebook `docs/NAME.ipynb`
with the outputs of a run; the plots of the page are in `docs/plots/`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

DOCS = Path(__file__).parent
NAMES = ("quickstart", "study")
_STYLE = re.compile(r"<style.*?</style>\n?", flags=re.DOTALL)
_SECONDS = 1800
"""The most seconds that one cell may take."""


def run(name: str, folder: Path, replaced: Mapping[str, str] = MappingProxyType({})) -> Any:
    """Runs a notebook in a folder, and returns the notebook with the outputs of its cells.

    The argument `replaced` gives texts of the code that are replaced by other texts before the run.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised an error.
    """
    notebook = nbformat.read(DOCS / f"{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        for old, new in replaced.items():
            cell.source = cell.source.replace(old, new)
    # The kernel runs in another folder, and must find the packages of this checkout there.
    above = str(DOCS.parent.resolve())
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [above, os.environ.get("PYTHONPATH", "")]))
    client = NotebookClient(notebook, timeout=_SECONDS, resources={"metadata": {"path": str(folder)}})
    return client.execute()


def write_page(name: str, notebook: Any) -> None:
    """Writes the page of a notebook that was run, and the images of the page."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # Progress and warnings on stderr belong to one run, and no reader needs them.
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                data = output.get("data", {})
                if "text/html" in data:  # Pages of Markdown show no styles.
                    data["text/html"] = _STYLE.sub("", data["text/html"])
    text, resources = MarkdownExporter().from_notebook_node(
        notebook, resources={"output_files_dir": "plots", "unique_key": name}
    )
    images = resources["outputs"]
    for old in DOCS.glob(f"plots/{name}_*"):
        old.unlink()
    for path, data in images.items():
        (DOCS / path).parent.mkdir(exist_ok=True)
        (DOCS / path).write_bytes(data)
    note = f"<!-- Written by python docs/notebooks.py from {name}.ipynb. -->\n\n"
    (DOCS / f"{name}.md").write_text(note + text.strip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or NAMES:
        with TemporaryDirectory() as scratch:
            write_page(chosen, run(chosen, Path(scratch)))
