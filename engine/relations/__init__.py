"""Finds similar movies and reviewers and the audience of a movie, predicts ratings, and describes both."""
