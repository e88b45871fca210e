"""Maps the arrays of an index into memory, and checks in constant time that the arrays fit together."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifact import layout
from engine.artifact.files import HeldFile
from engine.errors import ArtifactCorruptError

_MAGIC = b"\x93NUMPY\x01\x00"
"""The first bytes of a NumPy file that has a short header."""
_LONGEST_HEADER = 1024
"""The number of bytes at the beginning of a file that are searched for the header of an array."""
_HEADER = re.compile(
    rb"\{'descr': (?P<kind>'[<|][a-z]\d{1,2}'"
    rb"|\[\('row', '<i8'\), \('vector', '<f4', \((?P<dim>\d{1,6}),\)\)\]), "
    rb"'fortran_order': (?P<by_column>True|False), 'shape': \((?P<shape>[\d, ]*)\), \} *\n"
)
"""Matches the header of an array of numbers, or the header of the array `strongest`, which holds a row number
and a vector for each movie."""
_SIZE = re.compile(r"(?:(?P<times>\d+) \* )?(?P<name>[a-z_0-9]+)(?: (?P<add>[+-] \d+))?")
"""Matches a dimension in the texts of `layout.ARRAY_SHAPES`, such as `2 * rating_dim` or `num_movies + 1`."""


def map_array(file: HeldFile) -> NDArray[Any]:
    """Maps an array into memory, read-only; the operating system reads the bytes when they are used.

    Raises:
        ValueError: the file does not hold an array of numbers; the file is shorter or longer than the header
            of the array says.
    """
    start = file.read(_LONGEST_HEADER)
    length = int.from_bytes(start[8:10], "little")
    header = _HEADER.fullmatch(start[10 : 10 + length])
    if start[:8] != _MAGIC or header is None:
        raise ValueError("is not an array")
    kind: Any = header["kind"].decode().strip("'")
    if header["dim"]:
        kind = [("row", "<i8"), ("vector", "<f4", (int(header["dim"]),))]
    try:
        dtype = np.dtype(kind)
    except TypeError as error:
        raise ValueError("is not an array of numbers") from error
    if dtype.hasobject:
        raise ValueError("is not an array of numbers")
    shape = tuple(int(size) for size in header["shape"].decode().replace(",", " ").split())
    if len(shape) > 2 or 10 + length + math.prod(shape) * dtype.itemsize != file.size:
        raise ValueError("does not fit the shape in its header")
    order: Any = "F" if header["by_column"] == b"True" else "C"
    return np.ndarray(shape, dtype, file.map(), 10 + length, order=order)


def check_arrays(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Checks the types and shapes of an index's arrays, and that offsets fit the arrays to which they point.

    The offsets into an array must begin with 0, and end with the length of the array.

    `check_arrays` reads no numbers except the first and the last number of each array of offsets, so
    `check_arrays` takes the same time for arrays of any size.

    Raises:
        ValueError: the type or shape of an array differs from `layout.ARRAY_SHAPES`; the shapes of two arrays
            contradict each other.
    """
    sizes: dict[str, int] = {}
    for name, array in arrays.items():
        if name not in layout.ARRAY_SHAPES:
            continue
        kinds, wanted = _described(name)
        if str(array.dtype) not in kinds:
            raise ValueError(f"{name} holds numbers of the type {array.dtype}, not {' or '.join(kinds)}")
        if array.ndim != len(wanted):
            raise ValueError(f"{name} has {array.ndim} dimensions, not {len(wanted)}")
        for size, dimension in zip(array.shape, wanted, strict=True):
            if not _fits(size, dimension, sizes):
                raise ValueError(f"{name} has {size:,} entries where {dimension} are expected")
    for offsets, target in layout.OFFSETS.items():
        if offsets in arrays and target in arrays:
            ends = arrays[offsets][[0, -1]].tolist() if len(arrays[offsets]) else []
            if ends != [0, len(arrays[target])]:
                raise ValueError(f"{offsets} does not fit {target}")


def check_values(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Checks all numbers in an index's arrays, which takes time in proportion to the size of the arrays.

    Offsets must ascend, row numbers must be valid, and floating-point numbers must be finite.

    Raises:
        ValueError: an array holds an impossible number, such as a descending offset.
    """
    sizes = {
        dimension: size
        for name, array in arrays.items()
        if name in layout.ARRAY_SHAPES
        for dimension, size in zip(_described(name)[1], array.shape, strict=True)
    }
    for name, array in arrays.items():
        if name in layout.OFFSETS and not (array[1:] >= array[:-1]).all():
            raise ValueError(f"{name} does not ascend")
        if name in layout.ROWS and not are_rows(array, sizes.get(layout.ROWS[name], 0)):
            raise ValueError(f"{name} holds rows that do not exist")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{name} holds numbers that are not finite")


def are_rows(rows: NDArray[np.integer], limit: int) -> bool:
    """Tells whether all numbers of an array are at least 0 and less than a limit."""
    # Read as an unsigned number, a negative number is larger than any limit.
    return not rows.size or bool(rows.view(f"u{rows.itemsize}").max() < limit)


def check_rows(rows: NDArray[np.integer], limit: int, name: str) -> None:
    """Checks that row numbers from an index are at least 0 and below `limit`.

    Raises:
        ArtifactCorruptError: a row number is negative, or at least `limit`.
    """
    if not are_rows(rows, limit):
        raise damage_of(name)


def check_finite(figures: NDArray[np.floating], name: str) -> None:
    """Checks that numbers that were computed from an index are finite.

    Raises:
        ArtifactCorruptError: a number is not finite, so numbers in the index are damaged.
    """
    if not np.isfinite(figures).all():
        raise damage_of(name)


def check_spans(
    begins: NDArray[np.integer], lengths: NDArray[np.integer], total: int, most: int, name: str
) -> None:
    """Checks that spans of an array, which `begins` and `lengths` describe, lie within the array.

    To open large indexes quickly, the engine at first checks only the first and the last number of each array
    of offsets. Before the engine reads spans of an array, `check_spans` checks that the offsets of the spans
    are valid.

    Raises:
        ArtifactCorruptError: a span begins before 0; a span is longer than `most` entries; a span ends after
            entry `total`.
    """
    if not len(begins):
        return
    if begins.min() < 0 or lengths.min() < 0 or lengths.max() > most or (begins + lengths).max() > total:
        raise damage_of(name)


def damage_of(name: str) -> ArtifactCorruptError:
    """Returns the error to raise if data of an index is damaged; `name` names the data, such as "ids"."""
    return ArtifactCorruptError(
        f"The {name} of the index are damaged; look for the damaged file with engine info --verify, and "
        "restore the index from a copy or build it again"
    )


def _described(name: str) -> tuple[list[str], list[str]]:
    kinds, _, shape = layout.ARRAY_SHAPES[name].rstrip("]").partition(" [")
    return kinds.split(" or "), shape.split(", ")


def _fits(size: int, dimension: str, sizes: dict[str, int]) -> bool:
    """Tells whether a length of an array, along one axis, equals a dimension such as `num_movies + 1`.

    `size` is the length of the array along the axis. The text `dimension` may contain a name that stands for
    a number, such as `num_movies` in `num_movies + 1`. The dictionary `sizes` maps each name, such as
    `num_movies`, to the number that earlier calls found for the name. If `sizes` has no entry for the name in
    `dimension`, the function computes the number from `size`, and adds the name and the number to `sizes`.
    For example, if `size` is 8, and `dimension` is `num_movies + 1`, the function sets `num_movies` to 7 in
    `sizes`.
    """
    dimension, _, empty = dimension.partition(" or ")
    if empty and not size:
        return True
    if dimension.isdigit():
        return size == int(dimension)
    parts = _SIZE.fullmatch(dimension)
    assert parts is not None
    times, added = int(parts["times"] or 1), int((parts["add"] or "0").replace(" ", ""))
    whole, rest = divmod(size - added, times)
    return rest == 0 and whole >= 0 and sizes.setdefault(parts["name"], whole) == whole
