"""Builds an index from files of reviews, and estimates the memory, disk space and time of a build."""
