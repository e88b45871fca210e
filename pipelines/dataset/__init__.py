"""Reads the prepared reviews and movies as arrays, and divides reviews into training and held-out reviews."""
