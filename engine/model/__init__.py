"""Scores movies with the trained model, in NumPy: two heads, tables, histories."""
