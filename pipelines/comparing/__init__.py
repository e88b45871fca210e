"""Compares two indexes, or two builds of an index: counts, figures, lists, popularity and settings."""
