"""Adds movies without reviews (cold movies) to a trained model by means of their metadata."""
