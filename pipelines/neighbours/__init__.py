"""Builds tables of each movie's similar movies (neighbours) from reviews, linear models and metadata."""
