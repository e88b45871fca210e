"""Adds new metadata files to the movies of an existing index."""
