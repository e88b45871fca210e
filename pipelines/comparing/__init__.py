"""Compares two indexes, or two builds of an index: counts, metrics, lists, popularity and settings."""
