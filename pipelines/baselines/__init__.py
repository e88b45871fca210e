"""Holds the models to compare with."""
