"""Checks that a review or metadata file can be read, and recognises the file's format by its content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from engine.config.sections import IngestConfig
from engine.errors import SourceError
from pipelines.inputs.remote import empty, fetch_outline
from pipelines.inputs.spool import Input, readable_files
from pipelines.reading.dialects import NUM_SAMPLED, Line, inspect_table, shown
from pipelines.reading.records import BLANKS
from pipelines.reading.sources import Source
from pipelines.text.documents import DocumentReader, framing_of
from pipelines.text.kinds import PARQUET_MAGIC, first_bytes, form_of
from pipelines.text.lines import Block, to_utf8
from pipelines.text.repairs import parse
from pipelines.text.streams import MAX_LINE, TextForm, TextStream

_HEAD_SIZE = 1 << 20
"""The number of bytes that are read from the start of a file to find the file's first lines."""
_NUM_HEAD_LINES = 25
"""The number of lines from the start of a file by which the file's format is recognised."""
_SAMPLED_SIZE = 1 << 18
"""The number of bytes of text at the start of a JSON document from which the document's sample is taken."""


def inspect_inputs(
    reviews: Sequence[Input], metadata: Sequence[Input], config: IngestConfig, folder: Path, *, head: int = 0
) -> tuple[list[Source], list[Source]]:
    """Recognises the format of each input, and copies inputs that can be read only once to `folder`.

    The beginning of each remote file, at least `head` bytes, and the end of each remote file are copied to a
    file in `folder`. If `head` is 0, the copy of a remote file's beginning and end is emptied after the
    format of the remote file is recognised. The copy of a remote Parquet file is kept even if `head` is 0,
    because the columns of the Parquet file are read from the copy later.

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
