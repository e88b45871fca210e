"""Writes new versions of an index without training, with new reviews, new movies or a new vector index."""
