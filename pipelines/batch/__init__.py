"""Writes the lists of everyone to files."""
