"""Scores movies with the trained model in NumPy, by predicted relevance, ratings and similar movies."""
