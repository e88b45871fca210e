"""Metrics, ranking and significance: how good a model is."""
