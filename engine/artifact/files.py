"""Opens files of an index so that they stay readable after their deletion; refuses links, pipes and devices.

On Unix, an open file stays readable after the name of the file was deleted from the directory. A program
keeps all files of an opened build open, so the program can read the build even after another command has
deleted the files.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import re
import shutil
import stat
from pathlib import Path

_DESCRIPTORS = next(filter(os.path.isdir, ("/proc/self/fd", "/dev/fd")), None)
"""The directory that lists the open files of a process by number, such as /dev/fd; None on a system without
such a directory."""
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""Flags for opening files; opening with these flags does not follow a link, and does not wait for a writer of
a pipe."""
_BLOCK = 2**20
_PLAIN = re.compile(r"[\w /.,:+=@~-]*")


class HeldFile:
    """Holds a file open for reading as long as the `HeldFile` object exists.

    Args:
        path: the path of the file, or the name of the file in the directory `inside`.
        inside: the file descriptor of an open directory; if None, `path` is an ordinary path.

    Raises:
        OSError: the file cannot be opened, or is a link, a directory, a pipe or a device.
    """

    def __init__(self, path: Path | str, inside: int | None = None) -> None:
        self._descriptor = -1
        self._mapped: mmap.mmap | None = None
        try:
            self._descriptor = os.open(path, _FLAGS, dir_fd=inside)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise OSError(errno.ELOOP, "a file is expected, and this is a link", str(path)) from error
            raise
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            fault = "a file is expected, and this is a directory, a pipe or a device"
            raise OSError(errno.EINVAL, fault, str(path))
        self.size = status.st_size
        """The number of bytes in the file."""

    def __del__(self) -> None:
        self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def path(self, otherwise: Path) -> Path:
        """Returns a path by which FAISS or DuckDB can open the file that the `HeldFile` object keeps open.

        If the file is mapped into memory, or if the system has no directory such as /dev/fd, the method
        returns the path `otherwise`.
        """
        if _DESCRIPTORS is None or self._mapped is not None:
            return otherwise
        # On some systems, a file opened by its descriptor's path shares the reading position of the
        # descriptor, so the position is set to 0.
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return Path(_DESCRIPTORS, str(self._descriptor))

    def read(self, most: int) -> bytes:
        """Returns up to `most` bytes from the beginning of the file."""
        return os.pread(self._descriptor, most, 0)

    def checksum(self) -> str:
        """Returns the SHA-256 of the file, in hexadecimal."""
        if self._mapped is not None:
            return hashlib.sha256(self._mapped).hexdigest()
        digest = hashlib.sha256()
        place = 0
        while block := os.pread(self._descriptor, _BLOCK, place):
            digest.update(block)
            place += len(block)
        return digest.hexdigest()

    def map(self) -> mmap.mmap:
        """Maps the file into memory, read-only.

        Raises:
            ValueError: the file is empty.
        """
        self._mapped = mmap.mmap(self._descriptor, self.size, access=mmap.ACCESS_READ)
        self._close()  # The memory mapping keeps the file readable without the descriptor.
        return self._mapped


def is_plain(path: Path) -> bool:
    """Tells whether DuckDB and FAISS can open the file at a path, which depends on the path's characters.

    DuckDB gives characters such as `?` in a path a special meaning; FAISS opens only paths in UTF-8.
    """
    return bool(_PLAIN.fullmatch(str(path.absolute())))


def checksum(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    return HeldFile(path).checksum()


def link_or_copy(source: Path, target: Path) -> None:
    """Gives a finished file a second path: as a hard link if possible, otherwise as a copy."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def flush(path: Path) -> None:
    """Waits until the bytes of a file, or the names of the files in a directory, are written to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
