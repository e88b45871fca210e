"""Builds tables of similar movies, called neighbours, from the reviews that movies share and from
metadata.
"""
