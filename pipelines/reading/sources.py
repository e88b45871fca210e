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
from pipelines.reading.dialects import NUM_SAMPLED, Line, inspect_table, shown
from pipelines.reading.records import BLANKS
from pipelines.text.documents import DocumentReader, framing_of
from pipelines.text.kinds import PARQUET_MAGIC, first_bytes, form_of
from pipelines.text.lines import Block, to_utf8
from pipelines.text.repairs import parse
from pipelines.text.streams import MAX_LINE, PLAIN, TextForm, TextStream

_HEAD_SIZE = 1 << 20
"""The number of bytes that are read from the start of a file to find the file's first lines."""
_NUM_HEAD_LINES = 25
"""The number of lines from the start of a file by which the file's format is recognised."""
_SAMPLED_SIZE = 1 << 18
"""The number of bytes of text at the start of a JSON document from which the document's sample is taken."""
_MOVIE_FILES = ("u.item", "movies.dat", "movies.csv")
_RATING_FILES = ("u.data", "ratings.dat", "ratings.csv")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Holds the path and the format of a review or metadata file."""

    path: Path
    """The path of the file as the user named the file, for messages."""
    file: Path
    """The path of the file that is read: `path` itself, a copy of an input that can be read only once, or the
    beginning of a remote file, which `on_disk` copies completely."""
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
    object. Damaged records are left out. The sample of a Parquet file is empty.
    """

    @property
    def size(self) -> int:
        """Returns the size of the file in bytes."""
        return self.file.stat().st_size if self.remote is None else self.remote.size

    @property
    def packing(self) -> str:
        """Returns "parquet" for a Parquet file, or else the file's compression, such as "gzip" or "plain"."""
        return "parquet" if self.layout == "parquet" else self.form.packing


def inspect_inputs(
    reviews: Sequence[Input], metadata: Sequence[Input], config: IngestConfig, folder: Path, *, head: int = 0
) -> tuple[list[Source], list[Source]]:
    """Recognises the format of each input, and copies inputs that can be read only once to `folder`.

    The beginning of each remote file, at least `head` bytes, and the end of each remote file are copied to a
    file in `folder`. If `head` is 0, the copied bytes are deleted after the format of the remote file is
    recognised. Even if `head` is 0, the copied bytes of a remote Parquet file stay in `folder`, because the
    columns of the Parquet file are read from the copied bytes later.

    Raises:
        SourceError: an input cannot be read, or the format of an input is unknown.
        DataError: the copy of an input does not fit on the disk.
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
    """Yields a version of `source` whose path leads to a complete file on this machine's disk.

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


def inspect_source(
    path: Path, format: str = "auto", file: Path | None = None, *, no_header: bool = False
) -> Source:
    """Checks that a file can be read, and recognises the format of the file by its first lines.

    Args:
        path: the path of the file as the user named the file, which may be compressed.
        format: "amazon", "movielens" or "table" as given by the user, or "auto" to recognise the format.
        file: the file that is read instead of `path`, such as a copy of a pipe.
        no_header: whether the first line of a table is always a record and never a header.

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
    # A file in which no line is a complete JSON object counts as JSON if half of the lines begin like JSON.
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
    """Returns the first lines of a file, and whether the returned lines are the whole file.

    Raises:
        SourceError: the file cannot be read; compressed data end too early, within the first line.
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
    """Returns the movie file in the folder of a MovieLens ratings file, such as ratings.csv or u1.base.

    Returns None if the ratings file is not named like MovieLens' files, or if the folder has no movie file.
    """
    if ratings.name not in _RATING_FILES and ratings.suffix not in {".base", ".test"}:
        return None
    beside = (ratings.with_name(name) for name in _MOVIE_FILES)
    return next((path for path in beside if path.is_file()), None)
