"""Trains recommendation models on training reviews, and measures the models on held-out test reviews."""
