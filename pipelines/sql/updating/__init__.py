"""Adds new metadata to the movies of an index."""
