"""Estimates how much review files hold, within seconds, from their sizes and their first megabytes.

Bytes and lines grow with the file. Reviewers and movies grow more slowly, as the same ones come again: as the
rows to some power (Heaps' law), which is fitted to the first half of the rows read and to all of them.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.config.sections import IngestConfig
from engine.errors import SourceError
from pipelines.reading.reviews import stage_reviews
from pipelines.reading.sources import Source, inspect_source, movie_file_beside
from pipelines.work.database import add_functions, run, work_database

_SAMPLE = 4 << 20
"""Bytes of a gzip file that are read, as they lie on disk."""
_PLAIN_SAMPLE = 24 << 20
"""Bytes of text that are read at most, of a plain file or out of a gzip file."""
_SAMPLED_ROWS = 100_000
"""Rows of a Parquet file that are read."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Says about what some files hold."""

    num_bytes: int
    """Bytes of all files, as they lie on disk."""
    num_plain_bytes: int
    """Bytes of all files, decompressed."""
    num_reviews: int
    """Usable lines of the review files that the filters by day and purchase keep; `where` is not applied."""
    num_reviewers: int
    """Reviewers who may have enough reviews to stay."""
    num_movies: int
    """Movies that may have enough reviews to stay; no more than the movie files have lines."""
    seconds_a_megabyte: float
    """Seconds to decompress and parse a million plain bytes of reviews on this machine."""


@dataclass(frozen=True)
class _Sample:
    """A file that holds the first lines of another file."""

    path: Path
    share: float
    """The part of the other file that the sample holds, 0 to 1."""
    num_bytes: int
    """Plain bytes of the sample."""


def survey(reviews: Sequence[Path], metadata: Sequence[Path], config: IngestConfig) -> Survey:
    """Reads the beginnings of some files, and estimates from them what the whole files hold.

    Where no movie file is given, the movie file beside MovieLens' ratings is taken.

    Raises:
        SourceError: a file is missing, unreadable, or of no format that we know.
        ConfigError: `config.columns` does not fit a table.
    """
    sources = [inspect_source(path, config.format) for path in reviews]
    beside = [] if metadata else list(filter(None, map(movie_file_beside, reviews)))
    others = [inspect_source(path) for path in [*metadata, *beside]]
    counts = dict.fromkeys(("rows", "bytes", "reviewers", "movies"), 0.0)
    sampled_bytes, seconds = 0, 0.0
    with TemporaryDirectory(prefix="engine-plan-") as scratch:
        for number, source in enumerate(sources):
            started = time.perf_counter()
            sample = _take_sample(source, Path(scratch) / f"{number}-{source.path.name.removesuffix('.gz')}")
            found = _count(sample, config)
            seconds += time.perf_counter() - started
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
    """Estimates how many distinct values there are in more rows, by Heaps' law.

    The first half of the rows at hand holds `first` distinct values, and all of them hold `whole`. In `times`
    as many rows, at least 1, there are about whole * times ** power, where power = log2(whole / first) is
    between 0 and 1.

    >>> grown(500, 1000, 10), grown(1000, 1000, 10)
    (10000.0, 1000.0)
    """
    if not first:
        return whole * times
    power = min(max(math.log2(whole / first), 0.0), 1.0)
    return float(whole * times**power)


def _take_sample(source: Source, path: Path) -> _Sample:
    """Writes the first lines of a file into a file at `path`."""
    if source.layout == "parquet":
        return _sample_parquet(source.path, path)
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
    return _Sample(path, min(1.0, read / source.size), len(text))


def _inflate(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Decompresses the beginning of a gzip file; gives each piece with the number of bytes read so far."""
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
        return  # A damaged file is reported when it is read as a whole.


def _sample_parquet(whole: Path, path: Path) -> _Sample:
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
    return _Sample(path, share, round(whole.stat().st_size * share))


def _count(sample: _Sample, config: IngestConfig) -> dict[str, float]:
    """Parses a sample as a build would, and scales its counts up to the whole file."""
    with work_database(config) as database:
        add_functions(database)
        run(database, "staging/create_staging")
        stage_reviews(database, [inspect_source(sample.path, config.format)], config, with_text=False)
        filters = {name: getattr(config, name) for name in ("since", "until", "verified_only")}
        [found] = run(database, "staging/survey_counts", **filters).fetchall()
    rows, half_reviewers, reviewers, half_movies, movies = found
    times = 1 / sample.share
    return {
        "rows": rows * times,
        "bytes": sample.num_bytes * times,
        "reviewers": grown(half_reviewers, reviewers, times),
        "movies": grown(half_movies, movies, times),
    }


def _size(source: Source, scratch: Path) -> tuple[float, float]:
    """Estimates the plain bytes and the lines of a file; 0 lines for Parquet, which has none to count."""
    if source.layout == "parquet":
        return float(source.size), 0.0
    sample = _take_sample(source, scratch / "described")
    times = 1 / max(sample.share, 1e-9)
    return sample.num_bytes * times, sample.path.read_bytes().count(b"\n") * times
