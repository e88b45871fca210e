"""Makes a new version of an index without training: new reviews, new movies, a new vector index."""
