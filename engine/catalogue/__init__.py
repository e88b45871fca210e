"""Knows the movies without a model: cards, conditions in SQL, titles, films."""
