"""What a build has done so far, kept beside its output, so that a killed one can go on from there."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value")

_FACTS = "facts.json"
_FILES = "files"
_UNFINISHED = ".new"
_VERSION = re.compile(r"@(\d+)$")


class Saved(NamedTuple):
    """What one step of a build left behind."""

    arrays: dict[str, NDArray[Any]]
    """Read whole, so that the files may go."""
    facts: dict[str, Any]
    """Whatever else JSON can hold."""
    files: list[Path]
    """Copies of the files that were kept with it."""


class Checkpoints:
    """Saved steps of a build by name, each a directory of plain files that is there as a whole or not at all.

    Args:
        directory: where they lie; None keeps nothing, for work that nobody will resume.

    Example:
        >>> nothing = Checkpoints(None)
        >>> nothing.save("step", {}, {"rounds": 3}), nothing.load("step")
        (None, None)
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def __bool__(self) -> bool:
        return self._directory is not None

    def within(self, name: str) -> Checkpoints:
        """The steps of a part of the build, which may have names that others have too."""
        return Checkpoints(self._directory and self._directory / name)

    def save(
        self,
        name: str,
        arrays: Mapping[str, NDArray[Any]],
        facts: Mapping[str, Any],
        files: Iterable[Path] = (),
    ) -> None:
        """Keeps a step, in place of what was kept under its name.

        Args:
            name: of the step.
            arrays: whatever is large.
            facts: whatever else there is, as JSON can hold it.
            files: finished files, which nobody will write to again.
        """
        if self._directory is None:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        before = self._versions(name)
        version = before[-1][0] + 1 if before else 0
        directory = self._directory / f"{name}@{version}"
        unfinished = directory.with_name(f"{directory.name}{_UNFINISHED}")
        shutil.rmtree(unfinished, ignore_errors=True)
        (unfinished / _FILES).mkdir(parents=True)
        for file in files:
            link_or_copy(file, unfinished / _FILES / file.name)
        for key, array in arrays.items():
            with (unfinished / f"{key}.npy").open("wb") as binary:
                np.save(binary, array, allow_pickle=False)
                os.fsync(binary.fileno())
        with (unfinished / _FACTS).open("w", encoding="utf-8") as text:
            json.dump(facts, text)
            text.flush()
            os.fsync(text.fileno())
        unfinished.rename(directory)
        for _, path in before:
            shutil.rmtree(path, ignore_errors=True)

    def load(self, name: str) -> Saved | None:
        """Gives back what was kept under a name; None where nothing was, or nothing whole."""
        for _, path in reversed(self._versions(name)):
            try:
                facts = json.loads((path / _FACTS).read_text(encoding="utf-8"))
                arrays = {file.stem: np.load(file, allow_pickle=False) for file in path.glob("*.npy")}
            except (OSError, ValueError, EOFError):
                continue
            return Saved(arrays, facts, sorted((path / _FILES).iterdir()))
        return None

    def forget(self, part: str) -> None:
        """Removes the steps of a part that will not be asked for again."""
        if self._directory is not None:
            shutil.rmtree(self._directory / part, ignore_errors=True)

    def _versions(self, name: str) -> list[tuple[int, Path]]:
        """The directories kept under a name, the latest last."""
        if self._directory is None or not self._directory.is_dir():
            return []
        found = ((_VERSION.search(path.name), path) for path in self._directory.glob(f"{name}@*"))
        return sorted((int(match.group(1)), path) for match, path in found if match)


NOTHING_KEPT = Checkpoints(None)
"""For work that nobody will resume."""


def link_or_copy(source: Path, target: Path) -> None:
    """Gives a finished file a second place, without a second copy of it where the file system can."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def to_arrays(value: Any) -> dict[str, NDArray[Any]]:
    """The fields of a dataclass of arrays, lists of arrays and numbers, as arrays by name."""
    arrays: dict[str, NDArray[Any]] = {}
    for field in fields(value):
        content = getattr(value, field.name)
        if isinstance(content, list | tuple):
            arrays |= {f"{field.name}-{place}": part for place, part in enumerate(content)}
        else:
            arrays[field.name] = np.asarray(content)
    return arrays


def from_arrays(kind: type[Value], arrays: Mapping[str, NDArray[Any]]) -> Value:
    """Restores what `to_arrays` took apart."""
    given: dict[str, Any] = {}
    for name in get_type_hints(kind):
        if name in arrays:
            given[name] = arrays[name] if arrays[name].ndim else arrays[name].item()
        else:
            parts = sorted(
                (int(key.rpartition("-")[2]), array)
                for key, array in arrays.items()
                if key.rpartition("-")[0] == name
            )
            given[name] = [array for _, array in parts]
    return kind(**given)
