"""Selects rows that must not be in the prepared tables."""
