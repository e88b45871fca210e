"""Checks the sizes in a FAISS file before FAISS reads the file.

A FAISS file holds sizes, such as the number of vectors and the number of dimensions. FAISS allocates as much
memory as the sizes in a file demand, so a damaged size could demand 32 GB of memory or crash the process. The
function `check_faiss_file` compares the sizes in a FAISS file, such as the number of vectors, with each other
and with the length of the FAISS file. The function `check_faiss_file` does not read the vectors.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import faiss
import numpy as np

from indexes.base import VectorIndexError

_PLACEHOLDER = 1 << 20
"""The number that FAISS writes twice into the header of an index, in place of fields that are no longer
used."""
_CODE_BYTES = {faiss.ScalarQuantizer.QT_8bit: 1, faiss.ScalarQuantizer.QT_fp16: 2}
"""Maps FAISS's constant for each way of rounding to the number of bytes of a rounded number."""


def check_faiss_file(path: Path) -> None:
    """Checks that the numbers of vectors, dimensions and lists in a FAISS file fit the file's length.

    Raises:
        VectorIndexError: a size in the file is impossible; the file holds a kind of index that `FaissIndex`
            does not know.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        reader = _Reader(file)
        try:
            reader.read_index()
        except (struct.error, ValueError) as error:
            raise VectorIndexError(f"{path} is no vector index, or is damaged ({error})") from error


class _Reader:
    """Reads one field of a FAISS file after the other; raises ValueError for an impossible value."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._length = file.seek(0, 2)
        file.seek(0)

    def read_index(self) -> None:
        kind = self._kind()
        if kind == b"IxPT":
            dim, number = self._header()
            self._padding(dim)
            kind = self._kind()
            if kind not in (b"IwFl", b"IwSq"):
                raise ValueError("the padded index has an unknown kind")
            inner_dim, inner_number = self._lists(kind)
            _require(inner_number == number and inner_dim >= dim, "the sizes before and after padding differ")
        elif kind == b"IxFI":
            dim, number = self._header()
            self._vectors(dim, number)
        elif kind in (b"IwFl", b"IwSq"):
            self._lists(kind)
        else:
            raise ValueError("the kind of index is unknown")
        _require(self._file.tell() == self._length, "the file is longer than the index")

    def _kind(self) -> bytes:
        return self._file.read(4)

    def _fields(self, form: str) -> tuple[int, ...]:
        form = f"<{form}"
        return struct.unpack(form, self._file.read(struct.calcsize(form)))

    def _skip(self, num_bytes: int) -> None:
        _require(0 <= num_bytes <= self._length - self._file.tell(), "the file is too short")
        self._file.seek(num_bytes, 1)

    def _header(self) -> tuple[int, int]:
        """Reads the header of an index; returns the number of dimensions and the number of vectors."""
        dim, number, *rest = self._fields("iqqqBi")
        _require(rest[:3] == [_PLACEHOLDER, _PLACEHOLDER, 1], "the header is damaged")
        _require(rest[3] == faiss.METRIC_INNER_PRODUCT, "the metric is another one")
        _require(min(dim, number) > 0 and dim * number <= 16 * self._length, "the number of vectors is wrong")
        return dim, number

    def _vectors(self, dim: int, number: int) -> None:
        (size,) = self._fields("Q")
        _require(size == dim * number, "the number of vectors is wrong")
        self._skip(4 * size)

    def _padding(self, dim: int) -> None:
        (number,) = self._fields("i")
        _require(number == 1 and self._kind() == b"RmDT", "the padding is unknown")
        (size,) = self._fields("Q")
        _require(dim <= size <= dim + 64, "the padding is damaged")
        columns = self._fields(f"{size}i")
        expected = (*range(dim), *[-1] * (size - dim))
        _require(columns == expected and self._fields("iiB") == (dim, size, 1), "the padding is damaged")

    def _lists(self, kind: bytes) -> tuple[int, int]:
        """Reads an inverted file; returns the number of dimensions and the number of vectors."""
        dim, number = self._header()
        num_lists, num_probes = self._fields("QQ")
        _require(1 <= num_probes <= num_lists, "the number of lists is wrong")
        _require(self._kind() == b"IxFI", "the centres of the lists have an unknown kind")
        _require(self._header() == (dim, num_lists), "the number of lists is wrong")
        self._vectors(dim, num_lists)
        _require(self._fields("BQ") == (0, 0), "the lists are damaged")
        code_bytes = self._code_bytes(dim) if kind == b"IwSq" else 4 * dim
        _require(self._kind() == b"ilar", "the lists are of an unknown kind")
        _require(self._fields("QQ") == (num_lists, code_bytes), "the size of the lists is wrong")
        sizes = self._list_sizes(num_lists)
        total = int(sizes.sum(dtype=np.uint64)) if sizes.max(initial=0) <= number else -1
        _require(total == number, "the lists do not hold as many vectors as the index")
        self._skip(number * (code_bytes + 8))
        return dim, number

    def _code_bytes(self, dim: int) -> int:
        """Reads in a FAISS file how vectors are rounded; returns the number of bytes of one rounded vector.

        Raises:
            ValueError: the file names a way of rounding vectors that is not in `_CODE_BYTES`; or two sizes in
                the file, such as two numbers of dimensions, contradict each other.
        """
        rounding, _, _, code_dim, code_bytes, num_bounds = self._fields("iifQQQ")
        _require(rounding in _CODE_BYTES and code_dim == dim, "the rounding is unknown")
        expected = _CODE_BYTES[rounding] * dim
        _require(code_bytes == expected and num_bounds in (0, 2 * dim), "the rounding is damaged")
        self._skip(4 * num_bounds)
        again, by_residual = self._fields("QB")
        _require(again == code_bytes and by_residual in (0, 1), "the rounding is damaged")
        return code_bytes

    def _list_sizes(self, num_lists: int) -> np.ndarray:
        kind = self._kind()
        (number,) = self._fields("Q")
        _require(kind in (b"full", b"sprs") and number <= 2 * num_lists, "the sizes of the lists are damaged")
        sizes = np.frombuffer(self._file.read(8 * number), dtype="<u8")
        _require(len(sizes) == number, "the file is too short")
        if kind == b"full":
            _require(number == num_lists, "the number of lists is wrong")
            return sizes
        _require(
            number % 2 == 0 and bool((sizes[::2] < num_lists).all()), "the sizes of the lists are damaged"
        )
        return sizes[1::2]


def _require(holds: bool, fault: str) -> None:
    if not holds:
        raise ValueError(fault)
