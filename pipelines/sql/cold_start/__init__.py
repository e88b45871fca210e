"""Finds movies with metadata but too few reviews to learn from, and adds the found movies to `movies`."""
