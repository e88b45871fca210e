"""Finds similar movies, similar reviewers and the likeliest reviewers of a movie, and predicts ratings."""
