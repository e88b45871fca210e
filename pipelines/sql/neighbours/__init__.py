"""Finds the movies that are near each other."""
