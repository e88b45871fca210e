"""Finds similar movies, similar reviewers and the audience of a movie, and predicts ratings."""
