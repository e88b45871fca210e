"""Vectors in, neighbours out: the only home of faiss, which knows nothing of movies."""
