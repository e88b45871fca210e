"""Finds the most similar movies of each movie by the reviews of common reviewers."""
