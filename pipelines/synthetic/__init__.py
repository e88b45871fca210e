"""Writes synthetic data sets and the bundled sample."""
