"""Computes the parts of an index (ids, model, catalogue, vector index, report) and writes them to files."""
