"""Finds the nearest vectors; the only home of faiss."""
