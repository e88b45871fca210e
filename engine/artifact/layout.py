"""Names every file, array and manifest section of an index, so that no other module spells one out.

Another name here would be another format: indexes that were built before could not be opened.
"""

from __future__ import annotations

import re

FORMAT_VERSION = 1
"""The version of all that this module names; a reader refuses any other."""
CURRENT = "CURRENT"
"""The file of the index directory that names the live build."""
MANIFEST = "manifest.json"
"""The file of a build that says what the build holds."""
BUILD_NAME = re.compile(r"build-[0-9T]+-[0-9a-f]+")
"""The names of the directories that hold a build each."""

# Files of a build that are no arrays.
VECTOR_INDEX_FILE = "movies.faiss"
"""The vector index over the movie vectors."""
STRONGEST_FILE = "strongest.npy"
"""The movies that come high for many reviewers; absent where all movies are compared."""
CATALOGUE_FILE = "catalog.duckdb"
REJECTED_FILE = "rejected.parquet"
"""The rows of the review and movie files that could not be used."""
REPORT_FILE = "report.html"
"""The page that shows what the build says of itself."""

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
}
"""For each field of `Model` that holds a neighbour table, the arrays of that table."""
COLD_ARRAYS = {
    "columns": "cold_columns",
    "rarities": "cold_rarities",
    "components": "cold_components",
    "coefficients": "cold_coefficients",
    "intercepts": "cold_intercepts",
}
"""The arrays that map the words of a movie to its vectors, by the field of `ColdMapping`."""

# Entries of the manifest that the writer makes for every build.
VERSION_ENTRY = "format_version"
PACKAGE_ENTRY = "package_version"
BUILD_ENTRY = "build"
CREATED_ENTRY = "created"
FILES_ENTRY = "files"
"""The size and the checksum of every file of the build."""
BUILD_ENTRIES = (VERSION_ENTRY, PACKAGE_ENTRY, BUILD_ENTRY, CREATED_ENTRY, FILES_ENTRY)

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
