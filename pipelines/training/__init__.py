"""Trains the engine's model on reviews; chooses the number of rounds and the weights on held-out reviews."""
