"""Reads the prepared reviews and movies as arrays, and divides them."""
