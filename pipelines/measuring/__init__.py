"""Measures how good a model is: metrics, ranking, significance."""
