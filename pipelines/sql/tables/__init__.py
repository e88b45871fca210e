"""Staging tables into the prepared tables, and what is read out of the prepared tables."""
