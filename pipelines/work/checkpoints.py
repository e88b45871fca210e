"""Saves checkpoints of a build beside the build's output, so that a killed build can resume."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from engine.artifact.files import link_or_copy

Value = TypeVar("Value")

_FACTS = "facts.json"
_FILES = "files"
_UNFINISHED = ".new"
_MAPPED_FROM = 2**28
"""The least size in bytes of an array's file that is mapped into memory when a checkpoint is loaded; a
smaller file is read."""
_VERSION = re.compile(r"@(\d+)$")


class Saved(NamedTuple):
    """Holds the results of one step of a build, as loaded from a checkpoint."""

    arrays: dict[str, NDArray[Any]]
    """The saved arrays by name; the arrays stay usable after the checkpoint is deleted."""
    facts: dict[str, Any]
    """All saved results that are neither arrays nor files, as values that JSON can hold."""
    files: list[Path]
    """The paths of the checkpoint's copies of the saved files."""


class Checkpoints:
    """Saves and loads checkpoints of a build's steps; each checkpoint is a directory, complete or absent.

    The argument `directory` is the folder of all checkpoints; if `directory` is None, nothing is saved.

    Example:
        >>> nothing = Checkpoints(None)
        >>> nothing.save("step", {}, {"rounds": 3}), nothing.load("step")
        (None, None)
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def __bool__(self) -> bool:
        return self._directory is not None

    @property
    def folder(self) -> Path | None:
        """Returns the folder of the checkpoints and of temporary files, or None if nothing is saved."""
        if self._directory is not None:
            self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory

    def within(self, name: str) -> Checkpoints:
        """Returns checkpoints in the subfolder `name`; different subfolders may hold steps of equal names."""
        return Checkpoints(self._directory and self._directory / name)

    def save(
        self,
        name: str,
        arrays: Mapping[str, NDArray[Any]],
        facts: Mapping[str, Any],
        files: Iterable[Path] = (),
    ) -> None:
        """Saves the results of a step as a checkpoint, and deletes the older checkpoints of the step.

        The dictionary `facts` may hold everything that JSON can hold. After the call, nobody may write to the
        files in `files`, because the checkpoint may hold hard links to the files.
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
        """Returns the latest checkpoint of a step, or None if the step has no readable checkpoint."""
        for _, path in reversed(self._versions(name)):
            try:
                facts = json.loads((path / _FACTS).read_text(encoding="utf-8"))
                arrays = {file.stem: _load(file) for file in path.glob("*.npy")}
            except (OSError, ValueError, EOFError):
                continue
            return Saved(arrays, facts, sorted((path / _FILES).iterdir()))
        return None

    def holds_any(self) -> bool:
        """Returns whether the folder of the checkpoints holds a checkpoint of any step.

        The method does not look into subfolders of the folder. Subfolders hold the checkpoints that the
        method `within` returns.
        """
        return self._directory is not None and any(
            _VERSION.search(path.name) for path in self._directory.glob("*@*")
        )

    def forget(self, part: str) -> None:
        """Deletes the subfolder `part`, with all checkpoints that were saved by `within(part)`."""
        if self._directory is not None:
            shutil.rmtree(self._directory / part, ignore_errors=True)

    def _versions(self, name: str) -> list[tuple[int, Path]]:
        """Returns the version number and the directory of each checkpoint of a step, oldest first."""
        if self._directory is None or not self._directory.is_dir():
            return []
        found = ((_VERSION.search(path.name), path) for path in self._directory.glob(f"{name}@*"))
        return sorted((int(match.group(1)), path) for match, path in found if match)


def _load(file: Path) -> NDArray[Any]:
    """Reads an array from a file, or maps a large file; a mapped array outlives the deletion of its file."""
    is_large = file.stat().st_size >= _MAPPED_FROM
    array: NDArray[Any] = np.load(file, mmap_mode="c" if is_large else None, allow_pickle=False)
    return array


@contextmanager
def going_on(how: str) -> Iterator[None]:
    """Adds the text `how`, which says how to resume interrupted work, to a KeyboardInterrupt as a note.

    When a user interrupts a command, the program prints the notes of the KeyboardInterrupt. For example, if a
    user interrupts a search for settings, the note is "the same command goes on with the search".
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(how)
        raise


NOTHING_KEPT = Checkpoints(None)
"""Checkpoints that save nothing, for builds that cannot be resumed."""


def to_arrays(value: Any) -> dict[str, NDArray[Any]]:
    """Returns the fields of a dataclass as arrays by name, so that a checkpoint can save the dataclass.

    Each field of the dataclass must be an array, a number or a list of arrays. A field that is a list gives
    one array for each item of the list.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for field in fields(value):
        content = getattr(value, field.name)
        if isinstance(content, list | tuple):
            arrays |= {f"{field.name}-{place}": part for place, part in enumerate(content)}
        else:
            arrays[field.name] = np.asarray(content)
    return arrays


def from_arrays(kind: type[Value], arrays: Mapping[str, NDArray[Any]]) -> Value:
    """Restores a dataclass from the arrays that `to_arrays` returned."""
    given: dict[str, Any] = {}
    for name in get_type_hints(kind):
        if name in arrays:
            given[name] = arrays[name] if arrays[name].ndim else arrays[name].item()
        else:
            num_parts = sum(key.rpartition("-")[0] == name for key in arrays)
            given[name] = [arrays[f"{name}-{place}"] for place in range(num_parts)]
    return kind(**given)
