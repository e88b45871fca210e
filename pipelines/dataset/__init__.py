"""The prepared reviews and movies as arrays, and how they are divided."""
