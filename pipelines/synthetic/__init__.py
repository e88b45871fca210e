"""Generates synthetic data sets of reviews and movies, such as the bundled sample."""
