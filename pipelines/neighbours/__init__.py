"""Builds tables of neighbouring movies: from co-reviews, a linear model, metadata."""
