"""Turns staging tables into the prepared tables, and accounts for every row."""
