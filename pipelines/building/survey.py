"""Estimates the numbers of reviews, reviewers and movies in files from their sizes and first megabytes.

The number of reviews is assumed to be proportional to the size of a file. By Heaps' law, the number of
distinct reviewers or movies is assumed to grow in proportion to `num_reviews ** exponent`. To find the
exponent of Heaps' law, the distinct reviewers or movies are counted twice: in a sample of the reviews, and in
the first half of the sample.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.artifact.locks import temporary_folder
from engine.catalogue.database import NO_EXTENSIONS
from engine.config.sections import IngestConfig
from engine.errors import SourceError
from pipelines.inputs.spool import Input, file_of_input, num_bytes_of
from pipelines.reading.formats import inspect_inputs, inspect_source
from pipelines.reading.parquet import open_parquet, parquet_errors
from pipelines.reading.reviews import stage_reviews
from pipelines.reading.sources import Source, movie_file_beside, on_disk
from pipelines.text.streams import TextStream
from pipelines.work.database import add_functions, run, work_database

_SAMPLE = 4 << 20
"""The largest number of compressed bytes that are read from the start of a compressed file."""
_PLAIN_SAMPLE = 24 << 20
"""The total number of decompressed bytes that are read from the beginnings of all review files."""
_LEAST_SAMPLE = 1 << 20
"""The least number of decompressed bytes that are read from the beginning of each file, however many files
there are."""
_MOST_FILES = 16
"""The largest number of review files, and likewise of metadata files, from which samples are taken."""
_PIECE = 1 << 16
"""The number of bytes that each call of `read` takes from a file."""
_SAMPLED_ROWS = 100_000
"""The number of rows that are read from the start of a Parquet file."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Holds the estimated sizes of the files of a build."""

    num_bytes: int
    """The total size of the review and metadata files on disk, in bytes."""
    num_plain_bytes: int
    """The estimated total size of the review and metadata files after decompression, in bytes."""
    num_reviews: int
    """The estimated number of valid reviews that pass the filters by date and by verified purchase; the
    condition `ingest.where` is not considered."""
    num_reviewers: int
    """The estimated number of reviewers with enough reviews to be kept; the estimate is rather too high than
    too low."""
    num_movies: int
    """The estimated number of movies with enough reviews to be kept, at most the number of lines of the movie
    files; the estimate is rather too high than too low."""
    seconds_a_megabyte: float
    """The number of seconds in which this machine decompresses and parses a megabyte of decompressed
    reviews."""


@dataclass(frozen=True)
class _Sample:
    """Holds the path and the size of a sample file, which holds the first lines of an input file."""

    path: Path
    share: float
    """The share of the input file's content that the sample file holds, 0 to 1."""
    num_bytes: int
    """The decompressed size of the sample file, in bytes."""


def survey(
    reviews: Sequence[Input], metadata: Sequence[Input], config: IngestConfig, times: float = 1.0
) -> Survey:
    """Estimates the number of reviews, reviewers and movies in files from the beginnings of some files.

    The argument `times`, at least 1, is a factor: if `times` is 2, the estimates are for files that are twice
    as long as the given files, with more reviews of the same kind. If no metadata file is given for a
    MovieLens ratings file, the movie file in the ratings file's folder is read.

    Raises:
        SourceError: a file is missing, cannot be read, or has an unknown format.
        ConfigError: `config.columns` does not fit a table.
    """
    beside = [] if metadata else list(filter(None, map(movie_file_beside, map(file_of_input, reviews))))
    all_bytes = [sum(map(num_bytes_of, given)) for given in (reviews, [*metadata, *beside])]
    chosen, described = _some_of(reviews), _some_of([*metadata, *beside])
    size = max(_PLAIN_SAMPLE // max(len(chosen), 1), _LEAST_SAMPLE)
    with temporary_folder() as scratch:
        sources, others = inspect_inputs(chosen, described, config, scratch, head=size + _PIECE)
        more = [
            max(of_all / max(sum(source.size for source in some), 1), 1.0)
            for of_all, some in zip(all_bytes, (sources, others), strict=True)
        ]
        num_bytes = sum(
            max(of_all, sum(source.size for source in some))
            for of_all, some in zip(all_bytes, (sources, others), strict=True)
        )
        started = time.perf_counter()
        samples = [
            _take_sample(source, scratch / f"sample-{number}", size) for number, source in enumerate(sources)
        ]
        counts = _count(sources, samples, config, times * more[0])
        seconds = time.perf_counter() - started
        sizes = [_size(source, scratch, size) for source in others]
    plain = counts["bytes"] + times * more[1] * sum(size for size, _ in sizes)
    num_described = times * more[1] * sum(lines for _, lines in sizes)
    movies = min(counts["movies"], num_described or counts["movies"])
    rows = round(counts["rows"])
    return Survey(
        num_bytes=round(times * num_bytes),
        num_plain_bytes=round(plain),
        num_reviews=rows,
        num_reviewers=min(round(counts["reviewers"]), rows // config.min_reviews_per_reviewer),
        num_movies=min(round(movies), rows // config.min_reviews_per_movie),
        seconds_a_megabyte=seconds / max(sum(sample.num_bytes for sample in samples) / 1e6, 1e-6),
    )


def _some_of(inputs: Sequence[Input]) -> Sequence[Input]:
    """Returns at most `_MOST_FILES` of the inputs, evenly spaced."""
    step = max(len(inputs) / _MOST_FILES, 1.0)
    return [inputs[int(place * step)] for place in range(min(len(inputs), _MOST_FILES))]


def grown(first: int, whole: int, times: float) -> float:
    """Extrapolates the number of distinct values from a sample to more rows, by Heaps' law.

    A file with `times` times as many rows as a sample is estimated to have `whole * times ** power` distinct
    values. The exponent `power` in `whole * times ** power` is `log2(whole / first)`, but at least 0 and at
    most 1. The number of distinct values is `first` in the first half of the sample, and `whole` in the whole
    sample.

    Args:
        first: the number of distinct values in the first half of the sample.
        whole: the number of distinct values in the whole sample.
        times: the number of rows of the file divided by the number of rows of the sample, at least 1.

    >>> grown(500, 1000, 10), grown(1000, 1000, 10)
    (10000.0, 1000.0)
    """
    if not first:
        return whole * times
    power = min(max(math.log2(whole / first), 0.0), 1.0)
    return float(whole * times**power)


def _take_sample(source: Source, path: Path, size: int) -> _Sample:
    """Copies about `size` bytes of the first lines of a file, decompressed, to a sample file at `path`."""
    if source.layout == "parquet":
        return _sample_parquet(source, path)
    num_read = num_taken = 0

    def count(num_bytes: int) -> None:
        nonlocal num_read
        num_read += num_bytes

    text = bytearray()
    stream = TextStream(source.path, file=source.file, form=source.form, on_read=count, piece_size=_PIECE)
    try:
        for piece in stream:
            enough = len(text) >= size or (source.form.packing != "plain" and num_taken >= _SAMPLE)
            # The loop ends before the first piece from newly read bytes, so that the sample holds all text of
            # the bytes that were read before, and the share of the file is known.
            if enough and num_read > num_taken:
                break
            text += piece
            num_taken = num_read
    except SourceError:
        pass  # A damaged file is reported later, when the build reads the whole file.
    if num_taken < source.size and b"\n" in text:
        del text[text.rfind(b"\n") + 1 :]
    path.write_bytes(text)
    return _Sample(path, min(1.0, num_taken / source.size), len(text))


def _sample_parquet(source: Source, path: Path) -> _Sample:
    import duckdb

    with on_disk(source, path.parent) as whole, duckdb.connect(config=NO_EXTENSIONS) as database:
        relation = open_parquet(database, whole)
        with parquet_errors(source.path):
            [(rows,)] = relation.count("*").fetchall()
            relation.limit(_SAMPLED_ROWS).write_parquet(str(path))
    share = min(1.0, _SAMPLED_ROWS / max(rows, 1))
    return _Sample(path, share, round(source.size * share))


def _count(
    sources: Sequence[Source], samples: Sequence[_Sample], config: IngestConfig, longer: float
) -> dict[str, float]:
    """Estimates the numbers of rows, bytes, reviewers and movies of files from samples of the files.

    The array `samples` holds a sample of each file in `sources`. The numbers of rows, bytes, reviewers and
    movies are estimated for files that are, in total, `longer` times as large as the files in `sources`.
    """
    with work_database(config) as database:
        add_functions(database)
        run(database, "staging/create_staging")
        named = []
        for source, sample in zip(sources, samples, strict=True):
            sampled = inspect_source(sample.path, config.format, no_header=config.no_header)
            named.append(replace(sampled, path=source.path, partition=source.partition))
        stage_reviews(database, named, config, with_text=False)
        filters = {name: getattr(config, name) for name in ("since", "until", "verified_only")}
        [found] = run(database, "staging/survey_counts", **filters).fetchall()
    num_rows, half_reviewers, reviewers, half_movies, movies = found
    num_rows = num_rows or {}
    rows = longer * sum(num / samples[file].share for file, num in num_rows.items())
    times = rows / max(sum(num_rows.values()), 1)
    return {
        "rows": rows,
        "bytes": longer * sum(sample.num_bytes / sample.share for sample in samples),
        "reviewers": grown(half_reviewers, reviewers, times),
        "movies": grown(half_movies, movies, times),
    }


def _size(source: Source, scratch: Path, size: int) -> tuple[float, float]:
    """Estimates a file's decompressed size in bytes and its number of lines; 0 lines for a Parquet file."""
    if source.layout == "parquet":
        return float(source.size), 0.0
    sample = _take_sample(source, scratch / "described", size)
    times = 1 / max(sample.share, 1e-9)
    return sample.num_bytes * times, sample.path.read_bytes().count(b"\n") * times
