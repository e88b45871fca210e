"""Adds movies from new metadata files to an existing index, and updates movies that the index holds."""
