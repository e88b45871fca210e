"""How much files of reviews hold, told from their sizes and their first megabytes within seconds.

Bytes and lines grow with the file. Reviewers and movies grow too, but slower and slower where the same ones
come again: as the rows to some power (Heaps' law), which the first half of the rows and all of them tell.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from engine.config.sections import IngestConfig
from engine.errors import SourceError
from pipelines.reading.reviews import stage_reviews
from pipelines.reading.sources import Source, inspect_source, movie_file_beside
from pipelines.work.database import add_functions, open_database, run

if TYPE_CHECKING:
    import duckdb

_SAMPLE = 4 << 20
"""Bytes of a file that are read, as they lie on disk."""
_PLAIN_SAMPLE = 24 << 20
_SAMPLED_ROWS = 100_000
"""Rows of a Parquet file that are read."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What some files hold, about.

    Attributes:
        num_bytes: of all files, as they lie on disk.
        num_plain_bytes: of all files, decompressed.
        num_reviews: usable lines of the review files that the filters by day and purchase keep; a condition
            (`where`) is not asked.
        num_reviewers: reviewers who may have enough reviews to stay.
        num_movies: movies, likewise; no more than the movie files have lines.
        seconds_a_megabyte: to decompress and parse a million plain bytes of reviews on this machine.
    """

    num_bytes: int
    num_plain_bytes: int
    num_reviews: int
    num_reviewers: int
    num_movies: int
    seconds_a_megabyte: float


@dataclass(frozen=True)
class _Sample:
    path: Path
    share: float
    """The part of the file that it holds."""
    num_bytes: int
    """Plain bytes of it."""
    seconds: float
    """What decompressing took."""


def survey(reviews: Sequence[Path], metadata: Sequence[Path], config: IngestConfig) -> Survey:
    """Looks at the beginnings of some files.

    Args:
        reviews: review files in any of the known formats.
        metadata: movie files; where none is given, MovieLens' movie file beside its ratings is taken.
        config: how the files are read, and how many reviews reviewers and movies must have.

    Raises:
        SourceError: a file is missing, unreadable, or of no format that we know.
        ConfigError: `config.columns` does not fit a table.
    """
    sources = [inspect_source(path, config.format) for path in reviews]
    beside = [] if metadata else list(filter(None, map(movie_file_beside, reviews)))
    others = [inspect_source(path) for path in [*metadata, *beside]]
    counts: dict[str, float] = {"rows": 0, "bytes": 0, "reviewers": 0, "movies": 0}
    sampled_bytes, seconds = 0, 0.0
    with TemporaryDirectory(prefix="engine-plan-") as scratch:
        for number, source in enumerate(sources):
            sample = _take_sample(source, Path(scratch) / f"{number}-{source.path.name.removesuffix('.gz')}")
            started = time.perf_counter()
            found = _count(sample, config, Path(scratch) / f"{number}.duckdb")
            seconds += time.perf_counter() - started + sample.seconds
            sampled_bytes += sample.num_bytes
            for name, value in found.items():
                counts[name] += value
        described = [_size(source, Path(scratch)) for source in others]
    plain = counts["bytes"] + sum(size for size, _ in described)
    num_described = sum(lines for _, lines in described)
    movies = min(counts["movies"], num_described or counts["movies"])
    rows = round(counts["rows"])
    return Survey(
        num_bytes=sum(source.size for source in [*sources, *others]),
        num_plain_bytes=round(plain),
        num_reviews=rows,
        num_reviewers=min(round(counts["reviewers"]), rows // config.min_reviews_per_reviewer),
        num_movies=min(round(movies), rows // config.min_reviews_per_movie),
        seconds_a_megabyte=seconds / max(sampled_bytes / 1e6, 1e-6),
    )


def grown(first: int, whole: int, times: float) -> float:
    """How many distinct values there are in so many times as many rows, by Heaps' law.

    Args:
        first: distinct values in the first half of some rows.
        whole: distinct values in all of them.
        times: how many times as many rows, at least 1.

    Returns:
        whole * times ** power, where power = log2(whole / first) is between 0 and 1.

    Example:
        >>> grown(500, 1000, 10), grown(1000, 1000, 10)
        (10000.0, 1000.0)
    """
    if not first:
        return whole * times
    power = min(max(math.log2(whole / first), 0.0), 1.0)
    return float(whole * times**power)


def _take_sample(source: Source, path: Path) -> _Sample:
    """Writes the first lines of a file as a file of their own."""
    started = time.perf_counter()
    if source.layout == "parquet":
        return _sample_parquet(source.path, path, started)
    text = bytearray()
    read = 0
    with source.path.open("rb") as file:
        if source.compressed:
            for piece, consumed in _inflate(file.read(_SAMPLE)):
                text += piece
                read = consumed
        else:
            text += file.read(_PLAIN_SAMPLE)
            read = len(text)
    if read < source.size:
        del text[text.rfind(b"\n") + 1 :]
    path.write_bytes(text)
    return _Sample(path, min(1.0, read / source.size), len(text), time.perf_counter() - started)


def _inflate(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Decompresses the beginning of a gzip file: pieces, and how many bytes they were made of up to then."""
    pending = data
    inflater = zlib.decompressobj(wbits=31)
    try:
        while pending.strip(b"\0"):
            piece = inflater.decompress(pending, _PLAIN_SAMPLE)
            pending = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            yield piece, len(data) - len(pending)
            if inflater.eof:
                inflater = zlib.decompressobj(wbits=31)
            elif piece:
                return
    except zlib.error:
        return  # What is damaged is said when the file is read as a whole.


def _sample_parquet(whole: Path, path: Path, started: float) -> _Sample:
    import duckdb

    with duckdb.connect() as database:
        given = {"path": str(whole)}
        try:
            [(rows,)] = database.execute("select count(*) from read_parquet($path)", given).fetchall()
            some = f"select * from read_parquet($path) limit {_SAMPLED_ROWS}"
            database.sql(some, params=given).write_parquet(str(path))
        except duckdb.Error as error:
            raise SourceError(
                f"{whole} is damaged: {str(error).partition(chr(10))[0]}; fetch it again.", path=whole
            ) from error
    share = min(1.0, _SAMPLED_ROWS / max(rows, 1))
    size = round(whole.stat().st_size * share)
    return _Sample(path, share, size, time.perf_counter() - started)


def _count(sample: _Sample, config: IngestConfig, work: Path) -> dict[str, float]:
    """Parses a sample as a build would, and scales what it holds up to the whole file."""
    with open_database(work, memory_limit=config.memory_limit, threads=config.threads) as database:
        add_functions(database)
        run(database, "staging/create_staging")
        stage_reviews(database, [inspect_source(sample.path, config.format)], config, with_text=False)
        rows, half_reviewers, reviewers, half_movies, movies = _distinct(database, config)
    times = 1 / sample.share
    return {
        "rows": rows * times,
        "bytes": sample.num_bytes * times,
        "reviewers": grown(half_reviewers, reviewers, times),
        "movies": grown(half_movies, movies, times),
    }


def _distinct(database: duckdb.DuckDBPyConnection, config: IngestConfig) -> tuple[int, int, int, int, int]:
    [counts] = run(
        database,
        "staging/survey_counts",
        since=config.since,
        until=config.until,
        verified_only=config.verified_only,
    ).fetchall()
    return counts


def _size(source: Source, scratch: Path) -> tuple[float, float]:
    """The plain bytes and the lines of a file, about; no lines where they cannot be counted."""
    if source.layout == "parquet":
        return float(source.size), 0.0
    sample = _take_sample(source, scratch / "described")
    times = 1 / max(sample.share, 1e-9)
    return sample.num_bytes * times, sample.path.read_bytes().count(b"\n") * times
