"""Finds movies by SQL condition or title, and reads what is known of each movie without the model."""
