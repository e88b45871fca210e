"""Trains the engine's model on reviews; chooses training rounds and score weights on held-out reviews."""
