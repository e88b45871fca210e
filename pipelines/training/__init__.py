"""Trains the engine's model on reviews, and chooses training length and weights on held-out reviews."""
