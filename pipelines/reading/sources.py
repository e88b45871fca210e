"""Describes a review or metadata file: its place, its format, and its first records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pipelines.inputs.remote import RemoteFile, fetched
from pipelines.inputs.spool import Partition
from pipelines.text.streams import PLAIN, TextForm

_MOVIE_FILES = ("u.item", "movies.dat", "movies.csv")
_RATING_FILES = ("u.data", "ratings.dat", "ratings.csv")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Holds the path and the format of a review or metadata file."""

    path: Path
    """The path of the file as the user named the file, for messages."""
    file: Path
    """The path of the file that is read: `path` itself, or a copy on this machine's disk. An input that can
    be read only once, such as a pipe, is copied completely. Of a remote file, only the beginning and the end
    are copied to recognise the format; `on_disk` copies the complete remote file."""
    layout: Literal["json", "delimited", "parquet", "journal"]
    form: TextForm = PLAIN
    """The compression, the encoding and the line ends of a text file."""
    framing: str = ""
    """The way in which a JSON file is divided into objects, as `framing_of` returns it; "" if each line is
    one object."""
    delimiter: str = ""
    """The text that separates the fields in a line of a delimited file."""
    quoted: bool = False
    """Whether quotes may enclose a field of a delimited file."""
    header: tuple[str, ...] = ()
    """The column names of a delimited file, or empty if the file has no header line."""
    header_line: int = 0
    """The number of the last line of the header, counted from 1; 0 for a file without a header."""
    num_header_lines: int = 0
    """The number of lines up to the end of the header; blank lines are not counted."""
    num_fields: int = 0
    """The number of fields in each record of a delimited file."""
    partition: Partition = ()
    """The names and values of the columns that come from the file's folder names, such as `year` and `2024`
    for a folder `year=2024`; the values hold for all rows of the file."""
    remote: RemoteFile | None = None
    """The remote file that `on_disk` copies; None if `file` holds all bytes of the file."""
    sample: Sequence[Sequence[str]] | Sequence[Mapping[str, object]] = field(
        default=(), compare=False, repr=False
    )
    """The first records after the header, by whose values columns are recognised.

    A record of a delimited file is a sequence of `num_fields` texts, and a record of a JSON file is a parsed
    object. Damaged records are left out of the sample. The sample of a Parquet file is empty.
    """

    @property
    def size(self) -> int:
        """Returns the size of the file in bytes."""
        return self.file.stat().st_size if self.remote is None else self.remote.size

    @property
    def packing(self) -> str:
        """Returns "parquet" for a Parquet file, or else the file's compression, such as "gzip" or "plain"."""
        return "parquet" if self.layout == "parquet" else self.form.packing


@contextmanager
def on_disk(source: Source, folder: Path) -> Iterator[Source]:
    """Yields a version of `source` whose field `file` leads to a complete file on this machine's disk.

    A remote file is copied to `folder`, and the copy is removed when the `with` statement ends.

    Raises:
        SourceError: the remote file has changed, or cannot be read.
        DataError: the copy does not fit into the folder.
    """
    if source.remote is None:
        yield source
        return
    with fetched(source.remote, folder) as file:
        yield replace(source, file=file, remote=None)


def movie_file_beside(ratings: Path) -> Path | None:
    """Returns the movie file in the folder of a MovieLens ratings file, such as ratings.csv or u1.base.

    Returns None if the ratings file is not named like MovieLens' files, or if the folder has no movie file.
    """
    if ratings.name not in _RATING_FILES and ratings.suffix not in {".base", ".test"}:
        return None
    beside = (ratings.with_name(name) for name in _MOVIE_FILES)
    return next((path for path in beside if path.is_file()), None)
