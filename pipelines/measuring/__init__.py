"""Measures how good a model is: computes metrics, ranks movies, and tests differences for significance."""
