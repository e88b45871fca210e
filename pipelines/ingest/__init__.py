"""Staging tables into the prepared tables, every row accounted for."""
