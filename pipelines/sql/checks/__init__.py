"""Selects rows that break a rule of the tables of reviews, reviewers and movies; correct tables have none."""
