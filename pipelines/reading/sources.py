"""Checks that a review or metadata file can be read, and recognises the file's format by its content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from engine.config.sections import IngestConfig
from engine.errors import SourceError
from pipelines.inputs.remote import RemoteFile, empty, fetch_outline, fetched
from pipelines.inputs.spool import Input, Partition, readable_files
from pipelines.reading.headers import NUM_SAMPLED, Line, inspect_table, shown
from pipelines.reading.records import BLANKS
from pipelines.text.documents import DocumentReader, framing_of
from pipelines.text.kinds import PARQUET_MAGIC, first_bytes, form_of
from pipelines.text.lines import Block, to_utf8
from pipelines.text.repairs import parse
from pipelines.text.streams import MAX_LINE, PLAIN, TextForm, TextStream

_HEAD_SIZE = 1 << 20
"""The number of bytes from the start of a file among which its first lines are looked for."""
_NUM_HEAD_LINES = 25
"""The number of lines from the start of a file that decide about the file's format."""
_SAMPLED_SIZE = 1 << 18
"""The number of bytes of objects from which the sample of a JSON document is taken."""
_MOVIE_FILES = ("u.item", "movies.dat", "movies.csv")
_RATING_FILES = ("u.data", "ratings.dat", "ratings.csv")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Holds the path and the format of a review or metadata file."""

    path: Path
    """The file as the user named it, for messages."""
    file: Path
    """The file that is read: the file at `path`, a copy of a source that can be read only once, or the
    outline of a remote file, of which `on_disk` makes a copy."""
    layout: Literal["json", "delimited", "parquet", "journal"]
    form: TextForm = PLAIN
    """The compression, the encoding and the line ends of a text file."""
    framing: str = ""
    """How a JSON file is divided into objects, as `framing_of` tells; "" if each line is one object."""
    delimiter: str = ""
    """The text that separates the fields in a line of a delimited file."""
    quoted: bool = False
    """Whether quotes may enclose a field of a delimited file."""
    header: tuple[str, ...] = ()
    """The column names of a delimited file, or empty if the file has no header line."""
    header_line: int = 0
    """The line number of the last line of the header, counted from 1, or 0 without a header."""
    num_header_lines: int = 0
    """The number of lines up to the end of the header, without blank lines."""
    num_fields: int = 0
    """The number of fields in each record of a delimited file."""
    partition: Partition = ()
    """The names and the values of columns that are the same in all rows of the file."""
    remote: RemoteFile | None = None
    """The remote file that `on_disk` copies; None if `file` holds all bytes."""
    sample: Sequence[Sequence[str]] | Sequence[Mapping[str, object]] = field(
        default=(), compare=False, repr=False
    )
    """The first records after the header, so that columns can be recognised by their values.

    Each record of a delimited file is a sequence of `num_fields` texts, and each record of a JSON file is the
    parsed object. Damaged records are left out. The sample of a Parquet file is empty.
    """

    @property
    def size(self) -> int:
        """Returns the size of the file in bytes."""
        return self.file.stat().st_size if self.remote is None else self.remote.size

    @property
    def packing(self) -> str:
        """Returns how the bytes of the file are packed: parquet, plain, or the name of a compression."""
        return "parquet" if self.layout == "parquet" else self.form.packing


def inspect_inputs(
    reviews: Sequence[Input], metadata: Sequence[Input], config: IngestConfig, folder: Path, *, head: int = 0
) -> tuple[list[Source], list[Source]]:
    """Recognises the format of each input; copies of what can be read only once are written to the folder.

    Of a remote file, the beginning is read. The beginning is kept if `head` is not 0, which is then the least
    number of bytes that are read.

    Raises:
        SourceError: an input cannot be read, or is of no known format.
        DataError: a copy does not fit on the disk.
    """
    sources = []
    for number, given in enumerate(readable_files([*reviews, *metadata], folder)):
        path, file, partition, remote = given
        if remote is not None:
            file = fetch_outline(remote, folder, head)
        if number < len(reviews):
            source = inspect_source(path, config.format, file, no_header=config.no_header)
        else:
            source = inspect_source(path, file=file)
        if remote is not None and source.layout != "parquet" and not head:
            empty(file)
        sources.append(replace(source, partition=partition, remote=remote))
    return sources[: len(reviews)], sources[len(reviews) :]


@contextmanager
def on_disk(source: Source, folder: Path) -> Iterator[Source]:
    """Yields a source of which all bytes are on this disk; removes the copy of a remote file at the end.

    Raises:
        SourceError: the remote file has changed, or cannot be read.
        DataError: the copy does not fit into the folder.
    """
    if source.remote is None:
        yield source
        return
    with fetched(source.remote, folder) as file:
        yield replace(source, file=file, remote=None)


def inspect_source(
    path: Path, format: str = "auto", file: Path | None = None, *, no_header: bool = False
) -> Source:
    """Checks that a file can be read, and recognises the format of the file by its first lines.

    Args:
        path: the file as the user named it; it may be compressed.
        format: "amazon", "movielens" or "table" as given by the user, or "auto" to recognise the format.
        file: the file to read in place of `path`, such as a copy of a pipe.
        no_header: whether the first line of a table is a record, whatever it looks like.

    Raises:
        SourceError: the file is missing, empty, a directory, not readable, not text, or of no known format.
    """
    file = file or path
    if first_bytes(path, file).startswith(PARQUET_MAGIC):
        return Source(path=path, file=file, layout="parquet")
    form = form_of(path, file)
    head, whole = _head(path, file, form)
    lines = [Line(*line) for line in enumerate(head.split("\n"), 1) if line[1].strip(BLANKS)]
    if not lines:
        raise SourceError(f"{path} holds nothing but blank lines; expected reviews, one a line.", path=path)
    texts = [line.text for line in lines[:_NUM_HEAD_LINES]]
    has_object = any(isinstance(parse(text), dict) for text in texts)
    framing = framing_of(head, whole=whole)
    # If no line is a JSON object, half of the lines must begin like JSON; a few may be damaged.
    num_begun = sum(text.lstrip().startswith(("{", "[")) for text in texts)
    looks_like_json = has_object or bool(framing) or num_begun * 2 >= len(texts)
    source = Source(path=path, file=file, layout="json", form=form, framing=framing)
    if format in ("auto", "amazon") and looks_like_json:
        return replace(source, sample=_sampled_objects(source, lines))
    if format == "amazon":
        raise SourceError(
            f"{path} is not in Amazon's format: expected one JSON object a line, found {shown(texts[0])}.",
            path=path,
            line=lines[0].number,
        )
    if has_object or framing:
        raise SourceError(
            f"{path} holds JSON, which is no {format} file; leave --input-format out, or say "
            "--input-format amazon.",
            path=path,
        )
    has_header = False if no_header else True if format == "table" else None
    return inspect_table(replace(source, layout="delimited", framing=""), lines, has_header=has_header)


def _head(path: Path, file: Path, form: TextForm) -> tuple[str, bool]:
    """Returns the first lines of a file, and whether they are the whole file.

    Raises:
        SourceError: the file cannot be read, or breaks off before its first line ends.
    """
    stream = TextStream(path, file=file, form=form, piece_size=_HEAD_SIZE)
    data, whole = b"", True
    for piece in stream:
        data += piece
        if len(data) > MAX_LINE or (len(data) >= _HEAD_SIZE and b"\n" in data.lstrip()):
            whole = False
            break
    if stream.truncated:
        data = data[: data.rfind(b"\n") + 1]
        if not data:
            raise SourceError(f"{path} ends before its first line does; fetch it again.", path=path, line=1)
    elif not whole and b"\n" in data:
        data = data[: data.rfind(b"\n") + 1]
    text = to_utf8(data.replace(b"\r\n", b"\n"))[0].decode("utf-8", errors="replace")
    return text, whole


def _sampled_objects(source: Source, lines: Sequence[Line]) -> list[Mapping[str, object]]:
    texts = [line.text for line in lines[:NUM_SAMPLED]]
    if source.framing:
        reader = DocumentReader(
            source.path, file=source.file, form=source.form, framing=source.framing, block_size=_SAMPLED_SIZE
        )
        block = next(iter(reader), Block(1, b""))
        texts = block.data.decode("utf-8").split("\n")[:NUM_SAMPLED]
    return [value for text in texts if isinstance(value := parse(text), dict)]


def movie_file_beside(ratings: Path) -> Path | None:
    """Returns the movie file in the same folder as a MovieLens ratings file or a fold such as u1.base.

    Returns None if the ratings file is not named like MovieLens' files, or if the folder has no movie file.
    """
    if ratings.name not in _RATING_FILES and ratings.suffix not in {".base", ".test"}:
        return None
    beside = (ratings.with_name(name) for name in _MOVIE_FILES)
    return next((path for path in beside if path.is_file()), None)
