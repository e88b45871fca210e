"""Finds movies by SQL condition or title, and reads facts about each movie, such as title and price."""
