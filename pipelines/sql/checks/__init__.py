"""Selects rows that break a rule of the tables of reviews, reviewers and movies; no row must be selected."""
