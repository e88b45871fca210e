"""Builds the table of similar movies of an index from reviews and metadata, with weights that are learned."""
