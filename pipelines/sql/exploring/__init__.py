"""Counts and summarises the reviews, reviewers and movies for a report about a data set."""
