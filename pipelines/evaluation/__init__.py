"""Trains every model on every fold, and measures it."""
