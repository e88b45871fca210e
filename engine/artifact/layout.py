"""Names every file, array and manifest section of an index, so that no other module spells one out.

Changing a name changes the format, so that existing indexes could no longer be opened.
"""

from __future__ import annotations

import re

FORMAT_VERSION = 1
"""The version of all that this module names; a reader refuses any other."""
CURRENT = "CURRENT"
"""The file of the index directory that names the live build."""
MANIFEST = "manifest.json"
"""The file of a build that says what the build holds."""
PARTIAL = ".partial-"
"""The beginning of the names of unfinished files and builds."""
BUILD_NAME = re.compile(r"build-[0-9T]+-[0-9a-f]+")
"""The names of the directories that hold a build each."""

JOURNAL_FOLDER = "journal"
"""The folder of the index directory that holds the feedback which services took."""

# Files of a build that are no arrays.
VECTOR_INDEX_FILE = "movies.faiss"
"""The vector index over the movie vectors."""
ADDRESS_FILE = "movies.milvus.json"
"""The address of the movie vectors in a vector database; present in place of the vector index."""
STRONGEST_FILE = "strongest.npy"
"""The movies that come high for many reviewers; absent where all movies are compared."""
CATALOGUE_FILE = "catalog.duckdb"
REJECTED_FILE = "rejected.parquet"
"""The rows of the review and movie files that could not be used."""
REPORT_FILE = "report.html"
"""The page that shows what the build says of itself."""
HIDDEN_FILE = "hidden.json"
"""The movies that no list may hold; absent where no movie is hidden."""

# Arrays, each in a file of its own.
ARRAY_ENDING = ".npy"
"""The ending of the file of an array, behind the array's name."""
ID_ARRAYS = {
    "reviewer": ("reviewer_ids", "reviewer_id_offsets"),
    "movie": ("movie_ids", "movie_id_offsets"),
}
"""The arrays of each `IdTable`, in the order in which it takes them."""
CARD_ARRAYS = ("movie_cards", "movie_card_offsets")
"""The arrays that `MovieCards` takes, in that order."""
VARIANT_ARRAYS = ("variant_groups", "variant_offsets", "variant_movie_rows")
"""The arrays that `Variants` takes, in that order."""
MOVIE_COUNTS = "movie_counts"
"""How many reviews each movie has, int32 [num_movies]."""
POPULARITY = "movie_popularity"
"""How popular each movie is, float32 [num_movies]: likes count more, old reviews less."""
COLD_MOVIES = "movie_is_cold"
"""Which movies are cold, bool [num_movies]."""
COLD_DOUBTS = "cold_doubts"
"""The matrix by which the relevance of cold movies is lowered; absent in indexes without cold movies."""
HISTORY_TIMES = "history_times"
"""When each review of the histories was written, in unix seconds."""

# Arrays of the model, by the field of the class that holds them.
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
"""The kernel and the bias of a layer of the rating head, to be formatted with the layer's number from 0."""
HISTORY_ARRAYS = {
    "offsets": "history_offsets",
    "movie_rows": "history_movie_rows",
    "level_rows": "history_level_rows",
}
NEIGHBOUR_ARRAYS = {
    "neighbours": {
        "offsets": "neighbour_offsets",
        "movie_rows": "neighbour_movie_rows",
        "weights": "neighbour_weights",
    },
    "history_neighbours": {
        "offsets": "linear_neighbour_offsets",
        "movie_rows": "linear_neighbour_movie_rows",
        "weights": "linear_neighbour_weights",
    },
    "rating_neighbours": {
        "offsets": "rating_neighbour_offsets",
        "movie_rows": "rating_neighbour_movie_rows",
        "weights": "rating_neighbour_weights",
    },
    "successors": {
        "offsets": "successor_offsets",
        "movie_rows": "successor_movie_rows",
        "weights": "successor_weights",
    },
}
"""For each field of `Model` that holds a neighbour table, the arrays of that table."""
SIMILAR_ARRAYS = {
    "offsets": "similar_offsets",
    "movie_rows": "similar_movie_rows",
    "weights": "similar_weights",
    "shared": "similar_shared",
}
"""The arrays of the table of similar movies, by the argument of `SimilarTable.open`; absent in indexes that
were built before there was such a table."""
COLD_ARRAYS = {
    "columns": "cold_columns",
    "rarities": "cold_rarities",
    "components": "cold_components",
    "coefficients": "cold_coefficients",
    "intercepts": "cold_intercepts",
}
"""The arrays that map the words of a movie to its vectors, by the field of `ColdMapping`."""

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
}
"""The types that each array may have, and its dimensions; equal names of dimensions mean equal sizes.
A dimension that ends with `or 0` may be empty.

`shape_of` gives the same for the layers of the rating head, whose number is not fixed."""
OFFSETS = {
    "reviewer_id_offsets": "reviewer_ids",
    "movie_id_offsets": "movie_ids",
    "movie_card_offsets": "movie_cards",
    "variant_offsets": "variant_movie_rows",
    "history_offsets": "history_movie_rows",
    "neighbour_offsets": "neighbour_movie_rows",
    "linear_neighbour_offsets": "linear_neighbour_movie_rows",
    "rating_neighbour_offsets": "rating_neighbour_movie_rows",
    "similar_offsets": "similar_movie_rows",
}
"""The arrays of offsets, and the array that the offsets of each divide into parts."""
ROWS = {
    "history_movie_rows": "num_movies",
    "history_level_rows": "num_level_weights",
    "neighbour_movie_rows": "num_movies",
    "linear_neighbour_movie_rows": "num_movies",
    "rating_neighbour_movie_rows": "num_movies",
    "similar_movie_rows": "num_movies",
    "variant_movie_rows": "num_movies",
}
"""The arrays of rows, and the dimension that each row must be less than."""
_LAYER = re.compile(r"(rating_(?:kernel|bias)_)(\d{1,2})")


def shape_of(name: str) -> str:
    """Returns the type and shape of the array `name` as text, or an empty text if no array has the name.

    Example:
        >>> shape_of("rating_kernel_0"), shape_of("history_times")
        ('float32 [3 * rating_dim, num_inputs_1]', 'int32 or int64 [num_reviews]')
    """
    if layer := _LAYER.fullmatch(name):
        number = int(layer[2])
        outputs = f"num_inputs_{number + 1}"
        if layer[1] == "rating_bias_":
            return f"float32 [{outputs}]"
        return f"float32 [{f'num_inputs_{number}' if number else '3 * rating_dim'}, {outputs}]"
    return ARRAY_SHAPES.get(name, "")


def is_file_name(name: str) -> bool:
    """Tells whether a file of a build, other than the manifest, may be called `name`.

    Example:
        >>> is_file_name("movie_vectors.npy"), is_file_name("../movie_vectors.npy")
        (True, False)
    """
    others = (VECTOR_INDEX_FILE, ADDRESS_FILE, STRONGEST_FILE, CATALOGUE_FILE, REJECTED_FILE, REPORT_FILE)
    if name.endswith(ARRAY_ENDING) and shape_of(name.removesuffix(ARRAY_ENDING)):
        return True
    return name in (*others, HIDDEN_FILE)


# Entries of the manifest that the writer makes for every build.
VERSION_ENTRY = "format_version"
PACKAGE_ENTRY = "package_version"
BUILD_ENTRY = "build"
CREATED_ENTRY = "created"
FILES_ENTRY = "files"
"""The size and the checksum of every file of the build."""
BEFORE_ENTRY = "build_before"
"""The name of the build that was live when this build was written, or null."""
KEEP_ENTRY = "builds_kept"
"""How many builds the command that wrote the build was told to keep."""
REFUSED_ENTRY = "refused_because"
"""Why the build was not published when it was written; absent if it was published."""
BUILD_ENTRIES = (
    *(VERSION_ENTRY, PACKAGE_ENTRY, BUILD_ENTRY, CREATED_ENTRY, FILES_ENTRY),
    *(BEFORE_ENTRY, KEEP_ENTRY, REFUSED_ENTRY),
)

# Sections of the manifest.
ACCOUNTING_SECTION = "accounting"
"""What became of every row of the review and movie files."""
COUNTS_SECTION = "counts"
"""How many reviews, reviewers, movies and cold movies the index holds."""
MODEL_SECTION = "model"
"""What the model needs beside its arrays."""
SEARCH_SECTION = "search"
"""The kind of vector index and the number of candidates."""
AUDIT_SECTION = "audit"
"""What the two-stage search finds of the lists that scoring every movie gives."""
CONFIG_SECTION = "config"
SEED_SECTION = "seed"
METRICS_SECTION = "metrics"
"""Figures of the engine and of the baselines on held-out reviews."""
BASELINES_SECTION = "baselines"
"""Why baselines were not measured, if they were not."""
TRAINING_SECTION = "training"
"""The rounds of each training, and its curves."""
CALIBRATION_SECTION = "calibration"
"""How often movies were liked, by the predicted chance of a like."""
SENTIMENT_SECTION = "sentiment"
"""How review texts changed the ratings; absent where they are not used."""
SIMILAR_SECTION = "similar"
"""The weights with which the table of similar movies was built; absent in older indexes."""
COLD_SECTION = "cold"
"""The cold movies; absent where the build was given no metadata to learn from."""
COLD_SLOPES = {"neighbours": "neighbours", "history_neighbours": "chosen_neighbours"}
"""The keys of the cold section's slopes, by the field of `Model` that holds the neighbour table."""
UPDATES_SECTION = "updates"
"""The reviews that were added since the training."""
MOVIES_ADDED_SECTION = "movies_added"
"""What became of every line of metadata by which movies were added last."""
REBUILT_SECTION = "index_rebuilt_from"
"""The name of the build whose vector index was built again."""
JOURNAL_SECTION = "journal"
"""How far the build has taken in a journal of feedback, and what became of the journal's lines."""
