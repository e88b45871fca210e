"""Finds movies without reviews, and lets them join the movies with reviews."""
