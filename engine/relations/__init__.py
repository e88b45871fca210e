"""Finds similar movies, similar reviewers and the audience of a movie; predicts ratings; makes profiles."""
