"""The names of all files, arrays and manifest sections of an index, in one place."""

from __future__ import annotations

import re

FORMAT_VERSION = 1
CURRENT = "CURRENT"
MANIFEST = "manifest.json"
BUILD_NAME = re.compile(r"build-[0-9T]+-[0-9a-f]+")

MOVIE_COUNTS = "movie_counts"
"""The array of an artifact that says how many reviews each movie has, int32 [num_movies]."""
VARIANT_ARRAYS = ("variant_groups", "variant_offsets", "variant_movie_rows")
"""The arrays of an artifact that `Variants` takes, in the order in which it takes them."""

INDEX_FILE = "movies.faiss"
"""The index over the movie vectors, in the artifact."""

STRONGEST_FILE = "strongest.npy"
"""The movies that come high for many reviewers; an artifact has it where they are not all compared."""

POPULARITY = "movie_popularity"
"""The array of the artifact, float32 [num_movies]: what its reviews count, likes more and old ones less."""

CATALOG_FILE = "catalog.duckdb"
"""The name of the database within an artifact."""

COLD_MOVIES = "movie_is_cold"
"""The array of an artifact that says which they are, bool [num_movies]."""

REPORT_FILE = "report.html"
"""The report, in the artifact."""

HISTORY_TIMES = "history_times"
"""The array of an artifact that says when each review of the histories was written, in unix seconds."""
