"""Implements the two networks of a model, the training batches, and the optimizers of embedding tables."""
