"""Turns the staging tables into tables of reviews, reviewers and movies, and accounts for every row read."""
