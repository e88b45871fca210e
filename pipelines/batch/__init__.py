"""The lists of everyone, in files."""
