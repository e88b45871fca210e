"""Places movies that have no reviews."""
