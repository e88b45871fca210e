"""Trains a model on reviews."""
