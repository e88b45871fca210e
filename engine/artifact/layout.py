"""Names every file, array and manifest section of an index, so that each name stands in this module only.

If the name of a file, an array or a manifest section is changed, existing indexes can no longer be opened.
"""

from __future__ import annotations

import re

FORMAT_VERSION = 1
"""The version of the format of an index; a reader refuses an index with any other version."""
CURRENT = "CURRENT"
"""The name of the file in the index directory whose content is the name of the live build and a checksum."""
MANIFEST = "manifest.json"
"""The name of the file that describes a build: the build's settings, counts, metrics and files."""
PARTIAL = ".partial-"
"""The start of the names of files and builds that are not complete yet."""
BUILD_NAME = re.compile(r"build-[0-9T]+-[0-9a-f]+")
"""Matches the name of the directory of a build."""

LOCK = ".lock"
"""The name of the lock file that a process keeps locked while the process writes to the index directory."""
LIVE_LOCK = ".live-lock"
"""The name of the lock file that a process keeps locked while the process makes another build live."""
WORK = ".work"
"""The name of the directory of checkpoints; a killed build resumes from the checkpoints."""
COLLECTIONS = ".collections.json"
"""The name of the file, in the index directory, that names the collections of the index in a database."""
EMBEDDED = "vectors.db"
"""The name of the embedded vector database of an index, in the index directory."""
JOURNAL_FOLDER = "journal"
"""The name of the folder, in the index directory, that holds the feedback which services received."""
BESIDE_BUILDS = (LOCK, LIVE_LOCK, WORK, COLLECTIONS, EMBEDDED, JOURNAL_FOLDER)
"""The names of all files and folders that an index directory may hold beside the builds and `CURRENT`."""

# Files of a build other than arrays.
VECTOR_INDEX_FILE = "movies.faiss"
"""The name of the file of the vector index over the movie vectors."""
ADDRESS_FILE = "movies.milvus.json"
"""The name of the file with the address of the movie vectors in a vector database; a build holds either this
file or `VECTOR_INDEX_FILE`."""
STRONGEST_FILE = "strongest.npy"
"""The name of the file with the vectors of movies that score high for many reviewers. The file speeds up
writing the lists of all reviewers. The index of a small catalogue has no file `strongest.npy`."""
CATALOGUE_FILE = "catalog.duckdb"
REJECTED_FILE = "rejected.parquet"
"""The name of the file with the unusable rows of the review and movie files."""
REPORT_FILE = "report.html"
"""The name of the file of the web page that describes the build."""
HIDDEN_FILE = "hidden.json"
"""The name of the file that lists the movies which are hidden from all recommendation lists; absent if no
movie is hidden."""

# Arrays, each stored in a separate file.
ARRAY_ENDING = ".npy"
"""The ending of the file name of an array; the name of the array stands before the ending."""
ID_ARRAYS = {
    "reviewer": ("reviewer_ids", "reviewer_id_offsets"),
    "movie": ("movie_ids", "movie_id_offsets"),
}
"""The names of two arrays for reviewer ids, and of two arrays for movie ids: the bytes of all ids, and the
offset of each id in the bytes."""
CARD_ARRAYS = ("movie_cards", "movie_card_offsets")
"""The names of the arrays of the movies' cards: the bytes, and the offsets of the cards in the bytes."""
VARIANT_ARRAYS = ("variant_groups", "variant_offsets", "variant_movie_rows")
"""The names of the arrays that say which movies are variants of one film, in the order of the arguments of
`Variants`."""
MOVIE_COUNTS = "movie_counts"
"""The name of an array, int32 [num_movies]: the number of reviews of each movie."""
POPULARITY = "movie_popularity"
"""The name of an array, float32 [num_movies]: the popularity of each movie, to which a like adds more than
another review, and a new review more than an old review."""
COLD_MOVIES = "movie_is_cold"
"""The name of an array, bool [num_movies]: True for each cold movie (a movie without reviews in training)."""
COLD_DOUBTS = "cold_doubts"
"""The name of the array from which the engine computes how unsure the vectors of a cold movie are, to lower
the movie's score; absent in indexes without cold movies and in older indexes."""
HISTORY_TIMES = "history_times"
"""The name of an array: the time at which each review was written, in seconds since 1970 (Unix time)."""

# Names of the arrays of the model; the keys are the fields of the class that holds the arrays.
RELEVANCE_ARRAYS = {
    "movie_vectors": "movie_vectors",
    "history_vectors": "history_vectors",
    "reviewer_embeddings": "reviewer_embeddings",
    "level_weights": "level_weights",
}
RATING_ARRAYS = {
    "levels": "rating_levels",
    "movie_vectors": "rating_movie_vectors",
    "history_vectors": "rating_history_vectors",
    "reviewer_biases": "rating_reviewer_biases",
    "movie_means": "rating_baselines",
    "thresholds": "rating_thresholds",
    "dot_weights": "rating_dot_weights",
}
RATING_LAYER_ARRAYS = ("rating_kernel_{}", "rating_bias_{}")
"""The names of the arrays `kernel` and `bias` of a layer of the rating head; the number of the layer, from 0,
replaces {}."""
MOST_RATING_LAYERS = 100
"""The largest number of layers that a rating head may have."""
HISTORY_ARRAYS = {
    "offsets": "history_offsets",
    "movie_rows": "history_movie_rows",
    "level_rows": "history_level_rows",
}


def _table(name: str) -> dict[str, str]:
    """Returns the names of the arrays of a neighbour table; the keys are the fields of `NeighbourTable`."""
    return {"offsets": f"{name}_offsets", "movie_rows": f"{name}_movie_rows", "weights": f"{name}_weights"}


NEIGHBOUR_ARRAYS = {
    "neighbours": _table("neighbour"),
    "history_neighbours": _table("linear_neighbour"),
    "rating_neighbours": _table("rating_neighbour"),
    "successors": _table("successor"),
}
"""The names of the arrays of each neighbour table; the keys are the fields of `Model` that hold the
tables."""
SIMILAR_ARRAYS = {
    "offsets": "similar_offsets",
    "movie_rows": "similar_movie_rows",
    "weights": "similar_weights",
    "shared": "similar_shared",
}
"""The names of the arrays of the table of similar movies; absent from older indexes; the keys are the
arguments of `SimilarTable.open`."""
COLD_ARRAYS = {
    "columns": "cold_columns",
    "rarities": "cold_rarities",
    "components": "cold_components",
    "coefficients": "cold_coefficients",
    "intercepts": "cold_intercepts",
}
"""The names of the arrays with which a cold movie's vectors are computed from the words of the movie's
metadata; the keys are the fields of `ColdMapping`."""

# The types and the shapes of all arrays.
ARRAY_SHAPES = {
    "reviewer_ids": "uint8 [num_bytes_of_reviewer_ids]",
    "reviewer_id_offsets": "int64 [num_reviewers + 1]",
    "movie_ids": "uint8 [num_bytes_of_movie_ids]",
    "movie_id_offsets": "int64 [num_movies + 1]",
    "movie_cards": "uint8 [num_bytes_of_cards]",
    "movie_card_offsets": "int64 [num_movies + 1]",
    "variant_groups": "int32 [num_movies]",
    "variant_offsets": "int64 [num_films + 1]",
    "variant_movie_rows": "int32 [num_variants]",
    "movie_counts": "int32 [num_movies]",
    "movie_popularity": "float32 [num_movies]",
    "movie_is_cold": "bool [num_movies]",
    "movie_vectors": "float32 [num_movies, dim + 1]",
    "history_vectors": "float32 [num_movies, dim]",
    "reviewer_embeddings": "float32 [num_reviewers, dim or 0]",
    "level_weights": "float32 [num_level_weights]",
    "rating_levels": "float32 [num_levels]",
    "rating_movie_vectors": "float32 [num_movies, rating_dim + 2]",
    "rating_history_vectors": "float32 [num_movies, 2 * rating_dim]",
    "rating_reviewer_biases": "float32 [num_reviewers, 2]",
    "rating_baselines": "float32 [num_movies]",
    "rating_thresholds": "float32 [num_levels - 1]",
    "rating_dot_weights": "float32 [rating_dim]",
    "history_offsets": "int64 [num_reviewers + 1]",
    "history_movie_rows": "int32 [num_reviews]",
    "history_level_rows": "int8 [num_reviews]",
    "history_times": "int32 or int64 [num_reviews]",
    "neighbour_offsets": "int64 [num_movies + 1]",
    "neighbour_movie_rows": "int32 [num_neighbours]",
    "neighbour_weights": "float32 [num_neighbours]",
    "linear_neighbour_offsets": "int64 [num_movies + 1]",
    "linear_neighbour_movie_rows": "int32 [num_linear_neighbours]",
    "linear_neighbour_weights": "float32 [num_linear_neighbours]",
    "rating_neighbour_offsets": "int64 [num_movies + 1]",
    "rating_neighbour_movie_rows": "int32 [num_rating_neighbours]",
    "rating_neighbour_weights": "float32 [num_rating_neighbours]",
    "successor_offsets": "int64 [num_movies + 1]",
    "successor_movie_rows": "int32 [num_successors]",
    "successor_weights": "float32 [num_successors]",
    "similar_offsets": "int64 [num_movies + 1]",
    "similar_movie_rows": "int32 [num_similar]",
    "similar_weights": "float32 [num_similar]",
    "similar_shared": "int32 [num_similar]",
    "cold_columns": "int32 [num_words]",
    "cold_rarities": "float32 [num_words]",
    "cold_components": "float32 [num_words, num_features]",
    "cold_coefficients": "float32 [num_features, num_targets]",
    "cold_intercepts": "float32 [num_targets]",
    "cold_doubts": "float32 [dim + 1, dim + 1]",
    "rating_kernel_0": "float32 [3 * rating_dim, num_inputs_1]",
    **{
        RATING_LAYER_ARRAYS[0].format(layer): f"float32 [num_inputs_{layer}, num_inputs_{layer + 1}]"
        for layer in range(1, MOST_RATING_LAYERS)
    },
    **{
        RATING_LAYER_ARRAYS[1].format(layer): f"float32 [num_inputs_{layer + 1}]"
        for layer in range(MOST_RATING_LAYERS)
    },
}
"""The types that each array may have, and the dimensions of each array; two dimensions with the same name
must be equal. A dimension that is written with `or 0`, such as `dim or 0`, may be 0."""
_TABLES = (HISTORY_ARRAYS, *NEIGHBOUR_ARRAYS.values(), SIMILAR_ARRAYS)
OFFSETS = {
    "reviewer_id_offsets": "reviewer_ids",
    "movie_id_offsets": "movie_ids",
    "movie_card_offsets": "movie_cards",
    "variant_offsets": "variant_movie_rows",
    **{names["offsets"]: names["movie_rows"] for names in _TABLES},
}
"""Maps the name of each array of offsets to the name of the array that the offsets cut into segments."""
ROWS = {
    "history_level_rows": "num_level_weights",
    "variant_movie_rows": "num_movies",
    **{names["movie_rows"]: "num_movies" for names in _TABLES},
}
"""Maps the name of each array of row numbers to a dimension, such as `num_movies`; all row numbers in the
array must be less than the dimension."""
FILE_NAMES = frozenset(
    {
        *(VECTOR_INDEX_FILE, ADDRESS_FILE, STRONGEST_FILE, CATALOGUE_FILE, REJECTED_FILE, REPORT_FILE),
        *(HIDDEN_FILE, *(name + ARRAY_ENDING for name in ARRAY_SHAPES)),
    }
)
"""The names that the files of a build, except the manifest, may have."""

# Entries of the manifest that the writer makes for every build.
VERSION_ENTRY = "format_version"
PACKAGE_ENTRY = "package_version"
BUILD_ENTRY = "build"
CREATED_ENTRY = "created"
FILES_ENTRY = "files"
"""The manifest entry with the size and the checksum of every file of the build."""
BEFORE_ENTRY = "build_before"
"""The manifest entry with the name of the previous build, which was live when the new build was written; null
if no build was live."""
KEEP_ENTRY = "builds_kept"
"""The manifest entry with the number of builds that the index keeps. The option --keep of the command that
wrote the build sets the number of kept builds; without --keep, the command takes over the number of the
previous build."""
REFUSED_ENTRY = "refused_because"
"""The manifest entry with the reason why the finished build did not become live; absent if nothing prevented
the build from becoming live."""
BUILD_ENTRIES = (
    *(VERSION_ENTRY, PACKAGE_ENTRY, BUILD_ENTRY, CREATED_ENTRY, FILES_ENTRY),
    *(BEFORE_ENTRY, KEEP_ENTRY, REFUSED_ENTRY),
)

# Sections of the manifest.
ACCOUNTING_SECTION = "accounting"
"""The manifest section that counts what became of every row of the review and movie files: used, merged,
dropped or rejected."""
COUNTS_SECTION = "counts"
"""The manifest section with the numbers of reviews, reviewers, movies and cold movies in the index."""
MODEL_SECTION = "model"
"""The manifest section with the numbers of the model that are not stored as arrays."""
SEARCH_SECTION = "search"
"""The manifest section with the kind of vector index and the number of candidates for each list."""
AUDIT_SECTION = "audit"
"""The manifest section that compares lists made by the two-stage search with lists made by scoring every
movie."""
CONFIG_SECTION = "config"
SEED_SECTION = "seed"
METRICS_SECTION = "metrics"
"""The manifest section with the metrics of the engine and of the baselines on held-out reviews."""
BASELINES_SECTION = "baselines"
"""The manifest section with the reason why baselines were not measured; absent if the baselines were
measured."""
TRAINING_SECTION = "training"
"""The manifest section with the number of training rounds and the learning curve of each trained network."""
CALIBRATION_SECTION = "calibration"
"""The manifest section that compares predicted chances of a like with how often movies were really liked."""
SENTIMENT_SECTION = "sentiment"
"""The manifest section that says how the texts of reviews changed the ratings; absent if texts were not
used."""
SIMILAR_SECTION = "similar"
"""The manifest section with the weight of each kind of evidence in the table of similar movies; absent in
older indexes."""
COLD_SECTION = "cold"
"""The manifest section about the cold movies; absent if the build had no metadata to learn from."""
COLD_SLOPES = {"neighbours": "neighbours", "history_neighbours": "chosen_neighbours"}
"""Each key names a field of `Model` that holds a neighbour table; each value is the key under which the
manifest section `cold` stores a number of the table, the slope. A neighbour table's slope says how much the
weight that the table gives to a pair of movies grows with the similarity of the pair's metadata. The slope
helps to estimate the weights of cold movies (movies without reviews) in the table."""
UPDATES_SECTION = "updates"
"""The manifest section about the reviews that were added after the training."""
MOVIES_ADDED_SECTION = "movies_added"
"""The manifest section that counts what became of every line of the metadata file from which movies were last
added."""
REBUILT_SECTION = "index_rebuilt_from"
"""The manifest entry with the name of the build whose vectors were put into a new vector index; absent if no
vector index was rebuilt."""
JOURNAL_SECTION = "journal"
"""The manifest section with the position in the journal of feedback up to which the build used the journal,
and with counts of the journal's lines."""
