"""Builds tables of similar movies, called neighbours, from reviews, a linear model and metadata."""
