"""Reads and checks the ids, ratings and options that users give, and looks up the rows of the movies."""
