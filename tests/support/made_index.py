"""A whole index made by hand within a moment, for tests of what is done with one."""

from collections.abc import Mapping
from pathlib import Path

import duckdb
import numpy as np
from random_models import random_table

from engine.artifact.ids import build_id_arrays
from engine.artifact.layout import MOVIE_COUNTS, REJECTED_FILE, VECTOR_INDEX_FILE
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.variants import build_variant_arrays
from engine.config.sections import Config
from engine.model.heads import RatingHead, RelevanceHead
from engine.model.histories import Histories
from engine.model.scorer import Model
from engine.model.values import Blend
from indexes.faiss_index import FlatIndex
from pipelines.cold_start.joining import learn_cold_start, write_cold
from pipelines.dataset.words import count_words
from pipelines.export.catalogue import write_catalogue
from pipelines.work.output import plain_path, write_table

NUM_MOVIES, DIM = 400, 8


def reviewer_id(row: int) -> str:
    return f"R{row:05d}"


def movie_id(row: int) -> str:
    return f"M{row:04d}"


def make_model(num_reviewers: int, *, rated: bool = True, seed: int = 0) -> Model:
    """The first reviewer has reviewed nothing, the last everything but two movies."""
    generator = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    lengths = generator.integers(1, 12, num_reviewers)
    lengths[0], lengths[-1] = 0, NUM_MOVIES - 2
    movies = np.concatenate([generator.permutation(NUM_MOVIES)[:length] for length in lengths])
    levels = generator.integers(0, 5 if rated else 1, len(movies)).astype(np.int8)
    rating = RatingHead(
        levels=np.arange(1, 6, dtype=np.float32),
        movie_vectors=normal(NUM_MOVIES, DIM + 2) / 2,
        history_vectors=normal(NUM_MOVIES, 2 * DIM) / 4,
        reviewer_biases=normal(num_reviewers, 2) / 2,
        movie_means=3 + normal(NUM_MOVIES) / 2,
        thresholds=np.array([-3, -1, 1, 3], np.float32),
        dot_weights=normal(DIM) / 2,
        kernels=[normal(3 * DIM, 4) / 3, normal(4, 2) / 3],
        biases=[normal(4), np.array([-0.5, -0.5], np.float32)],
    )
    centres = normal(20, DIM + 1) * 2
    return Model(
        relevance=RelevanceHead(
            movie_vectors=(centres[np.arange(NUM_MOVIES) % 20] + normal(NUM_MOVIES, DIM + 1) / 4),
            history_vectors=normal(NUM_MOVIES, DIM),
            reviewer_embeddings=normal(num_reviewers, DIM),
            level_weights=normal(5 if rated else 1),
            recency_power=0.4,
            max_history=8,
        ),
        rating=rating if rated else None,
        neighbours=random_table(generator, NUM_MOVIES, 0.02),
        history_neighbours=None,
        rating_neighbours=random_table(generator, NUM_MOVIES, 0.02) if rated else None,
        histories=Histories(np.concatenate([[0], np.cumsum(lengths)]), movies.astype(np.int32), levels),
        blend=Blend(neighbour_weight=0.7, like_weight=0.5, rating_neighbour_weight=0.3),
    )


def write_index(
    directory: Path,
    num_reviewers: int = 300,
    *,
    rated: bool = True,
    films: bool = True,
    num_candidates: int = 100,
    seed: int = 0,
    titles: Mapping[int, str | None] | None = None,
) -> Path:
    """Writes an index of `NUM_MOVIES` movies, of which some are one film, and gives its directory.

    The argument `titles` gives other titles to some rows.
    """
    model = make_model(num_reviewers, rated=rated, seed=seed)
    counts = np.bincount(model.histories.movie_rows, minlength=NUM_MOVIES).astype(np.int32)
    connection = duckdb.connect()
    connection.execute(
        "create table movies as select range::integer as movie_row, format('M{:04d}', range) as movie_id, "
        "format('Film {}', range) as title, (range % 30)::double as price, "
        "(1950 + range % 70)::integer as year, range::integer as movie_count, "
        "null::varchar as category, null::varchar as main_cat, "
        "null::varchar as description, null::varchar as brand, null::integer as rank, null::varchar as date, "
        "null::varchar[] as links, 3.5::double as average_rating from range(?)",
        [NUM_MOVIES],
    )
    for row, title in (titles or {}).items():
        connection.execute("update movies set title = $1 where movie_row = $2", [title, row])
    with ArtifactWriter(directory) as writer:
        for name, array in model.arrays().items():
            writer.add_array(name, array)
        for kind, texts in (
            ("reviewer", [reviewer_id(row) for row in range(num_reviewers)]),
            ("movie", [movie_id(row) for row in range(NUM_MOVIES)]),
        ):
            data, offsets = build_id_arrays(texts)
            writer.add_array(f"{kind}_ids", data)
            writer.add_array(f"{kind}_id_offsets", offsets)
        if films:
            numbers = np.where(np.arange(NUM_MOVIES) % 7 == 0, 0, 1) * np.arange(NUM_MOVIES)
            numbers[1::9] = np.arange(len(numbers[1::9])) % 15 + NUM_MOVIES
            for name, array in build_variant_arrays(numbers).items():
                writer.add_array(name, array)
            writer.add_array(MOVIE_COUNTS, counts)
        write_catalogue(connection, writer)
        with plain_path(writer.path_for(VECTOR_INDEX_FILE)) as path:
            FlatIndex.build(model.relevance.movie_vectors).save(path)
        rejected = "'review' as kind, 'a.json' as file, 1::bigint as line, 'no JSON' as reason, '{' as text"
        write_table(connection.sql(f"select {rejected}"), writer.path_for(REJECTED_FILE))
        writer.add_section("model", model.section())
        writer.add_section("search", {"num_candidates": num_candidates, "kind": "flat"})
        writer.add_section("config", Config().to_dict())
        writer.add_section("audit", {"recall": 1.0})
        writer.add_section(
            "counts", {"reviews": int(counts.sum()), "reviewers": num_reviewers, "movies": NUM_MOVIES}
        )
    return directory


def write_cold_start(directory: Path) -> None:
    """Writes a new version of an index, to which movies can be added, for it knows what metadata taught."""
    artifact = Artifact.open(directory)
    cards = [{"title": f"Film {row}", "year": 1950 + row % 70} for row in range(NUM_MOVIES)]
    start = learn_cold_start(Model.open(artifact), count_words(cards), 0)
    with ArtifactWriter(directory) as writer:
        for name in artifact.manifest["files"]:
            writer.add_file(artifact.file(name))
        for name in ("model", "search", "config", "audit", "counts"):
            writer.add_section(name, artifact.manifest[name])
        write_cold(start, np.zeros(0, dtype=np.int64), Model.open(artifact), writer)
