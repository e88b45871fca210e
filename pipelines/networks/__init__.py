"""Implements the two networks of a model, the batches they learn from, and the optimizer of their tables."""
