"""Makes tables of reviews, reviewers and movies from the staging tables, and queries these tables."""
