"""A new version of an index without training: reviews, movies, the vector index."""
