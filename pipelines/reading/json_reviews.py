"""Stages blocks of JSON reviews: what is as it should be in one sweep, and then the rest line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.reading.blocks import Block
from pipelines.reading.json_lines import file_of, lines_of
from pipelines.work.database import run

if TYPE_CHECKING:
    import duckdb

_DOUBTFUL_AT_ONCE = 5_000


def stage_json_reviews(
    cursor: duckdb.DuckDBPyConnection,
    blocks: Iterator[Block],
    folder: Path,
    parameters: Mapping[str, object],
) -> None:
    """Appends every line that is not blank to `staged_reviews`; those that cannot be used carry a reason.

    Args:
        cursor: a connection with the functions of `add_functions`.
        blocks: of one file.
        folder: where to put a block while it is read.
        parameters: of both statements: file, with_text, with_numbers and min_text_length.
    """
    texts: list[str] = []
    numbers: list[int] = []
    for block in blocks:
        lines = lines_of(block)
        if not len(lines.numbers):
            continue
        with file_of(lines, folder) as written:
            taken = run(cursor, "staging/stage_amazon_reviews", **written, **parameters).fetchall()
        doubtful_texts, doubtful_numbers = lines.besides(taken)
        texts += doubtful_texts
        numbers += doubtful_numbers
        if len(texts) >= _DOUBTFUL_AT_ONCE:
            run(cursor, "staging/stage_doubtful_reviews", texts=texts, lines=numbers, **parameters)
            texts, numbers = [], []
    if texts:
        run(cursor, "staging/stage_doubtful_reviews", texts=texts, lines=numbers, **parameters)
