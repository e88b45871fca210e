"""Writes the recommendation lists of all reviewers to files."""
