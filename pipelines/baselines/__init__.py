"""Implements baselines: simple or well-known models with which evaluations compare the engine's model."""
